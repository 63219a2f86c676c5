import type { Segment } from '../observed-path.ts'
import { canBe, type KnownPath, type PathMatcher } from './paths.ts'
import { every, fromBoolean, type Tri } from './tri.ts'

/** One place of a sequence: a character of `has`, once or as often as told. */
interface Place {
  has: (character: string) => boolean
  /** The only character that it has, empty for a class. */
  literal: string
  least: 0 | 1
  many: boolean
}

/**
 * A regular expression without groups and alternatives, as RE2 matches it against the whole text. It is followed in one
 * pass over the text, whatever the expression: one that a person wrote must not stall replay.
 */
export type Sequence = readonly Place[]

/** @returns null for what is no such expression, or means something else in RE2 than here */
export function readSequence(regex: string): Sequence | null {
  const places: Place[] = []
  const tokens = regex.matchAll(/(\\.|\[\^?\]?(?:\\.|[^\]\\[])*\]|[^\\[])([*+?]?)\??/gsuy)
  let read = 0
  for (const token of tokens) {
    const [whole, text = '', quantifier = ''] = token
    read = token.index + whole.length
    const anchor = (text === '^' && token.index === 0) || (text === '$' && read === regex.length)
    if (anchor && whole === text) continue
    const kind = placeOf(text)
    // A second question mark makes it lazy, which a match of the whole text does not show.
    if (!kind) return null
    places.push({ ...kind, least: quantifier === '*' || quantifier === '?' ? 0 : 1, many: /[*+]/.test(quantifier) })
  }
  return read === regex.length ? places : null
}

function placeOf(text: string): Pick<Place, 'has' | 'literal'> | null {
  if (text === '.') return { has: (character) => character !== '\n', literal: '' }
  if (text.startsWith('[')) return classOf(text)
  if (text.startsWith('\\')) {
    const [, escaped = ''] = text
    if (/[dw]/.test(escaped)) return classOf(`[${text}]`)
    return /[a-zA-Z0-9]/.test(escaped) ? null : literal(escaped)
  }
  return /[()|^$*+?{}\]]/.test(text) ? null : literal(text)
}

function literal(text: string): Pick<Place, 'has' | 'literal'> {
  return { has: (character) => character === text, literal: text }
}

function classOf(text: string): Pick<Place, 'has' | 'literal'> | null {
  if (/^\[\^?\]/.test(text) || /\\[^dw\W]/.test(text)) return null
  try {
    const regex = new RegExp(text)
    const ascii = Array.from({ length: 128 }, (_, code) => regex.test(String.fromCharCode(code)))
    return { has: (character) => ascii[character.charCodeAt(0)] ?? regex.test(character), literal: '' }
  } catch {
    // A range that is none: Envoy refuses it as well.
    return null
  }
}

/** True when the whole text matches. */
export function matchesSequence(sequence: Sequence, text: string): boolean {
  let at = skipping(sequence, new Set([0]))
  for (const character of text) {
    const next = new Set<number>()
    for (const index of at) {
      const place = sequence[index]
      if (!place?.has(character)) continue
      next.add(index + 1)
      if (place.many) next.add(index)
    }
    if (next.size === 0) return false
    at = skipping(sequence, next)
  }
  return at.has(sequence.length)
}

// A place that need not match may be passed.
function skipping(sequence: Sequence, at: Set<number>): Set<number> {
  for (const index of at) if (sequence[index]?.least === 0) at.add(index + 1)
  return at
}

/** A path as a whole against a sequence; for a shape segment by segment, where no place of it may be a slash. */
export function sequencePath(sequence: Sequence | null): PathMatcher {
  if (!sequence) return () => 'unknown'
  const bySegment = segmentsOf(sequence)
  return (path) => {
    if (path.literal) return fromBoolean(matchesSequence(sequence, path.text))
    return bySegment ? shape(bySegment, path) : 'unknown'
  }
}

function shape(sequences: readonly Sequence[], { segments }: KnownPath): Tri {
  if (sequences.length !== segments.length) return 'no'
  return every(segments.keys(), (index) => segmentMatches(sequences[index] ?? [], segments[index]))
}

function segmentMatches(sequence: Sequence, segment: Segment | undefined): Tri {
  if (!segment) return 'no'
  if (segment.kind === 'literal') return fromBoolean(matchesSequence(sequence, segment.text))
  if (isText(sequence)) return canBe(segment, sequence.map((place) => place.literal).join(''))
  // Between the letters of a shape is what a parameter may be, and nothing else.
  const parts = segment.kind === 'opaque' ? segment.parts : ['', '']
  return parts && sameAround(sequence, parts) ? 'yes' : 'unknown'
}

function isText(sequence: Sequence): boolean {
  return sequence.every(({ literal: text, many, least }) => text !== '' && !many && least === 1)
}

function sameAround(sequence: Sequence, parts: readonly string[]): boolean {
  const text = sequence.map((place) => (isValue(place) ? '\0' : isText([place]) ? place.literal : '\n')).join('')
  return text === parts.join('\0')
}

const VALUE_CHARACTERS = "abcxyzABCXYZ0189-._~%!$&'()*+,;:@="

/** Any value that a parameter may have, as it is taken to be. */
function isValue({ has, many, least }: Place): boolean {
  return many && least === 1 && [...VALUE_CHARACTERS].every(has)
}

function segmentsOf(sequence: Sequence): Sequence[] | null {
  const [first, ...rest] = sequence
  if (!first || !isText([first]) || first.literal !== '/') return null
  const parts: Place[][] = [[]]
  for (const place of rest) {
    if (place.literal === '/' && isText([place])) parts.push([])
    else if (place.has('/')) return null
    else parts.at(-1)?.push(place)
  }
  return parts
}
