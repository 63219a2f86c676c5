import type { ObservedPath, Segment, SegmentType } from './observed-path.ts'

type Path = Extract<ObservedPath, { known: true }>

/**
 * One of the paths that an observed path stands for, as a proxy writes it: itself where it is literal, else with its
 * parameters filled in. Another `seed` gives other values; a tail has `depth` segments.
 *
 * @returns null where no value is known to be one of them
 */
export function pathInstance(path: Path, seed: number, depth = 1): string | null {
  if (path.literal) return path.text
  const filled = path.segments.map((segment) => fill(segment, seed, depth))
  return filled.includes(null) ? null : `/${filled.join('/')}`
}

const VALUES: Record<SegmentType, (seed: number) => string> = {
  int: (seed) => String(seed),
  uuid: (seed) => `00000000-0000-4000-8000-${String(seed).padStart(12, '0')}`,
  hex: (seed) => `c0ffee${seed.toString(16).padStart(10, '0')}`,
  date: (seed) => `${2000 + (seed % 1000)}-01-02`,
}

function fill(segment: Segment, seed: number, depth: number): string | null {
  if (segment.kind === 'literal') return segment.text
  if (segment.kind === 'typed') return VALUES[segment.type](seed)
  if (segment.kind === 'tail') return Array.from({ length: depth }, () => `value-${seed}`).join('/')
  if (segment.kind === 'parameter') return `value-${seed}`
  return segment.parts?.join(String(seed)) ?? null
}
