import type { PathFlag } from '../../../services/model/operation.ts'
import { normalPath } from '../../normal-path.ts'
import { readObservedPath, type Segment } from '../../observed-path.ts'
import { TEMPLATE_VALUE } from '../../template-characters.ts'

/**
 * How an observed path is written in an AuthorizationPolicy.
 * - `written`: `value` means what was observed, no more; an empty one means any path
 * - `noted`: the same, where the proxy is not an old one
 * - `widened`: `value` also matches what was not observed
 * - `refused`: nothing that can be written means it
 */
export type IstioPath =
  | { as: 'written'; value: string }
  | { as: 'noted' | 'widened'; value: string; kind: string; detail: string }
  | { as: 'refused'; kind: string; detail: string }

/** Segments that may stand beside a parameter: RFC 3986's pchar without `*` (Istio's pkg/config/security, IsValidLiteral). */
const TEMPLATE_LITERAL = /^[a-zA-Z0-9\-._~%!$&'()+,;:@=]+$/

/** Writes one observed path. Paths come from whoever sent the telemetry: none may turn into a wildcard. */
export function istioPath(path: string, flags: readonly PathFlag[]): IstioPath {
  const observed = readObservedPath(path, flags)
  if (!observed.known) return { as: 'written', value: '' }
  const hostile = refusal(path, flags, observed.literal)
  if (hostile) return hostile
  if (observed.literal) return { as: 'written', value: observed.text }
  if (!observed.segments.every(fitsTemplate)) return prefix(observed.segments)
  const value = template(observed.segments)
  if (observed.segments.some(({ kind }) => kind === 'opaque')) {
    const detail = `a parameter is a part of a segment; ${value} allows any value of the whole segment`
    return { as: 'widened', value, kind: 'mixed_segment', detail }
  }
  if (!observed.equals) return { as: 'written', value }
  const detail = `the path or its values contain '=': ${EQUALS}`
  return { as: 'noted', value, kind: 'template_equals', detail }
}

const EQUALS =
  'Envoy matches it in a template (1.36, 1.38 and 1.40 were asked); the template library of 2022 did not, and such a proxy denies the requests'

function refusal(path: string, flags: readonly PathFlag[], literal: boolean): IstioPath | null {
  const refuse = (kind: string, detail: string): IstioPath => ({ as: 'refused', kind, detail })
  if (!path.startsWith('/')) return refuse('path_not_absolute', 'the request target is no absolute path')
  if (flags.includes('braces') && !flags.includes('route')) {
    return refuse('path_braces', 'the path has literal braces, which Istio reads as a template')
  }
  if (flags.includes('dot_segment')) {
    return refuse('path_dot_segment', 'the path has dot segments, which the proxy removes before it matches')
  }
  if (literal && path.endsWith('*'))
    return refuse('path_star', 'the path ends in a star, which Istio reads as a wildcard')
  if (path.includes('?') || (literal ? normalPath(path) === null : /[^\x21-\x7e]|#|%00/.test(path))) {
    return refuse('path_characters', 'the path has characters that a proxy does not match as they are')
  }
  return null
}

function fitsTemplate(segment: Segment, index: number, all: Segment[]): boolean {
  if (segment.kind !== 'literal') return true
  const trailingSlash = segment.text === '' && index === all.length - 1
  return trailingSlash || TEMPLATE_LITERAL.test(segment.text)
}

function template(segments: Segment[]): string {
  return `/${segments.map((segment) => (segment.kind === 'literal' ? segment.text : '{*}')).join('/')}`
}

/** What a written path matches, for the generator's own cases and notes: not for replay, which must not share its mistakes. */
export function pathPattern(path: string): RegExp {
  if (path.endsWith('/*')) return new RegExp(`^${escapeRegExp(path.slice(0, -1))}`)
  return new RegExp(`^${path.split('{*}').map(escapeRegExp).join(TEMPLATE_VALUE.source.slice(1, -1))}$`)
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

// The narrowest thing left: everything that begins as the path does before its first parameter.
function prefix(segments: Segment[]): IstioPath {
  const kind = 'template_characters'
  const why = 'a segment has characters that no path template may have'
  const head = segments.slice(
    0,
    segments.findIndex((segment) => segment.kind !== 'literal'),
  )
  const literals = head.map((segment) => (segment.kind === 'literal' ? segment.text : ''))
  if (literals.length === 0) return { as: 'widened', value: '', kind, detail: `${why}; any path is allowed instead` }
  const value = `/${literals.join('/')}/*`
  const detail = `${why}; every path that begins with ${value.slice(0, -1)} is allowed instead`
  return { as: 'widened', value, kind, detail }
}
