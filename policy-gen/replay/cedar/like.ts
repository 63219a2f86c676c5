import type { Segment, SegmentType } from '../../observed-path.ts'
import type { KnownPath } from '../paths.ts'
import type { Tri } from '../tri.ts'
import type { LikePattern } from './atoms.ts'

/** Texts with a wildcard between each two of them. */
export function likePattern(texts: readonly string[]): LikePattern {
  return texts.flatMap((text, at): LikePattern => [...(at > 0 ? [null] : []), ...text])
}

/** Characters that a parameter's values may have, at most. */
const CHARACTERS: Record<SegmentType, RegExp> = {
  int: /[0-9+-]/,
  uuid: /[0-9a-fA-F{}-]/,
  hex: /[0-9a-fA-FxX]/,
  date: /[0-9TZtz:.+_-]/,
}

/** A character of the path, or a parameter: one character of a class or more. */
type Symbol = string | RegExp

/**
 * Whether a path is `like` a pattern: for one with parameters, whether each of its values is, or none of them can be.
 * The pattern of a literal path is the engine's own affair.
 */
export function isLike(path: KnownPath, pattern: LikePattern): Tri {
  const symbols = path.segments.flatMap((segment): Symbol[] => ['/', ...symbolsOf(segment)])
  if (matches(pattern, symbols, false)) return 'yes'
  return matches(pattern, symbols, true) ? 'unknown' : 'no'
}

function symbolsOf(segment: Segment): Symbol[] {
  if (segment.kind === 'literal') return [...segment.text]
  if (segment.kind === 'tail') return [/./s]
  const any = /[^/]/
  if (segment.kind !== 'opaque') return [segment.kind === 'typed' ? CHARACTERS[segment.type] : any]
  // What the parameters were is not empty: nobody would have taken nothing for one.
  return (segment.parts ?? ['', '']).flatMap((part, at): Symbol[] => [...(at > 0 ? [any] : []), ...part])
}

/**
 * Walks the pattern with the set of places that the path can have reached. A place is the number of symbols that are
 * done; half a place more is within a parameter, of which something is done and more may come.
 *
 * @param possibly whether a parameter may be any of its values; else only a wildcard takes it, whole
 */
function matches(pattern: LikePattern, symbols: readonly Symbol[], possibly: boolean): boolean {
  let places = new Set([0])
  for (const part of pattern) {
    const next = new Set<number>()
    const reach = (place: number): void => {
      next.add(place)
      if (!Number.isInteger(place)) next.add(Math.ceil(place))
    }
    for (const place of places) {
      const symbol = symbols[Math.floor(place)]
      if (part === null) {
        const first = Math.floor(place)
        for (let at = place; at <= symbols.length; at = Math.floor(at) + 1) next.add(at)
        for (let at = first; possibly && at < symbols.length; at++) {
          if (typeof symbols[at] !== 'string') next.add(at + 0.5)
        }
      } else if (typeof symbol === 'string') {
        if (symbol === part) next.add(place + 1)
      } else if (possibly && symbol?.test(part)) reach(Math.floor(place) + 0.5)
    }
    places = next
  }
  return places.has(symbols.length)
}
