import type { PathFlag } from '../../../services/model/operation.ts'
import { isPrefix, type PathPattern, prefixOf, type WrittenPath, writablePath } from '../../grants/pattern.ts'
import type { Segment } from '../../observed-path.ts'

/** Segments that may stand beside a parameter: RFC 3986's pchar without `*` (Istio's pkg/config/security, IsValidLiteral). */
const TEMPLATE_LITERAL = /^[a-zA-Z0-9\-._~%!$&'()+,;:@=]+$/

/** What Istio can say of one observed path. */
export function istioPath(path: string, flags: readonly PathFlag[]): WrittenPath {
  const observed = writablePath(path, flags)
  if ('as' in observed) return observed
  if (observed.literal && observed.text.endsWith('*')) {
    return { as: 'refused', kind: 'path_star', detail: 'the path ends in a star, which Istio reads as a wildcard' }
  }
  if (observed.literal) return { as: 'written', value: observed.text }
  if (!observed.segments.every(fitsTemplate)) return prefix(observed.segments)
  const value = template(observed.segments)
  if (observed.segments.some(({ kind }) => kind === 'opaque')) {
    const detail = `a parameter is a part of a segment; ${value} allows any value of the whole segment`
    return { as: 'widened', value, kind: 'mixed_segment', detail }
  }
  if (observed.segments.at(-1)?.kind === 'tail') {
    const detail = `${istioText(value)} matches paths of every depth below it; its values were seen in several`
    return { as: 'noted', value, kind: 'template_tail', detail }
  }
  if (!observed.equals) return { as: 'written', value }
  const detail = `the path or its values contain '=': ${EQUALS}`
  return { as: 'noted', value, kind: 'template_equals', detail }
}

/** A pattern as an AuthorizationPolicy has it: a prefix is written with a single star. */
export function istioText(pattern: PathPattern): string {
  // Behind a parameter only a template can go on.
  return isPrefix(pattern) && !prefixOf(pattern).includes('{*}') ? `${prefixOf(pattern)}*` : pattern
}

const EQUALS =
  'Envoy matches it in a template (1.36, 1.38 and 1.40 were asked); the template library of 2022 did not, and such a proxy denies the requests'

function fitsTemplate(segment: Segment, index: number, all: Segment[]): boolean {
  if (segment.kind !== 'literal') return true
  const trailingSlash = segment.text === '' && index === all.length - 1
  return trailingSlash || TEMPLATE_LITERAL.test(segment.text)
}

function template(segments: Segment[]): PathPattern {
  const text = (segment: Segment) =>
    segment.kind === 'literal' ? segment.text : segment.kind === 'tail' ? '{**}' : '{*}'
  return `/${segments.map(text).join('/')}`
}

// The narrowest thing left: everything that begins as the path does before its first parameter.
function prefix(segments: Segment[]): WrittenPath {
  const kind = 'template_characters'
  const why = 'a segment has characters that no path template may have'
  const head = segments.slice(
    0,
    segments.findIndex((segment) => segment.kind !== 'literal'),
  )
  const literals = head.map((segment) => (segment.kind === 'literal' ? segment.text : ''))
  if (literals.length === 0) return { as: 'widened', value: '', kind, detail: `${why}; any path is allowed instead` }
  const value = `/${literals.join('/')}/{**}`
  const detail = `${why}; every path that begins with ${prefixOf(value)} is allowed instead`
  return { as: 'widened', value, kind, detail }
}
