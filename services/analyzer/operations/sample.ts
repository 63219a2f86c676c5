import { methodOf, type SeenPath } from './rows.ts'

/**
 * At most `max` of the paths, the same ones in whatever order they come: half are those with the most requests, for names
 * repeat, half are drawn by a hash, for new values must go on being seen as such.
 */
export function sampleOf(seen: readonly SeenPath[], max: number): SeenPath[] {
  if (seen.length <= max) return [...seen]
  const hashes = Uint32Array.from(seen, (path) => hashOf(textOf(path)))
  const all = [...seen.keys()]
  const hash = (at: number) => hashes[at] ?? 0
  const requests = (at: number) => Math.min(seen[at]?.requests ?? 0, REQUESTS_COMPARED_MAX)
  const repeated = top(
    all.filter((at) => requests(at) > 1),
    max >> 1,
    (at) => hash(at) - requests(at) * 2 ** 32,
    seen,
  )
  const taken = new Set(repeated)
  const drawn = top(
    all.filter((at) => !taken.has(at)),
    max - repeated.length,
    hash,
    seen,
  )
  return [...repeated, ...drawn].flatMap((at) => seen[at] ?? [])
}

/** More requests are as many: with the hash behind them they stay exact as a number. */
const REQUESTS_COMPARED_MAX = 2 ** 20

/** The `max` positions with the smallest keys; of like ones the first by their text. */
function top(
  positions: readonly number[],
  max: number,
  keyOf: (at: number) => number,
  seen: readonly SeenPath[],
): number[] {
  // Sorting numbers is cheap, and few are left then to be sorted with their texts.
  const limit = Float64Array.from(positions, keyOf).sort()[max - 1] ?? Number.POSITIVE_INFINITY
  const text = (at: number) => textOf(seen[at])
  return positions
    .filter((at) => keyOf(at) <= limit)
    .map((at) => ({ at, key: keyOf(at) }))
    .sort((a, b) => a.key - b.key || (text(a.at) < text(b.at) ? -1 : 1))
    .slice(0, max)
    .map(({ at }) => at)
}

const textOf = (path: SeenPath | undefined) => (path ? `${methodOf(path)} ${path.path}` : '')

/** FNV-1a, 32 bits, finished as MurmurHash3 does, so that texts that differ in their end only are spread, too. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
