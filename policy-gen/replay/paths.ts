import { type ObservedPath, type Segment, typeAdmits } from '../observed-path.ts'
import { all, every, fromBoolean, some, type Tri } from './tri.ts'

/**
 * A path that was observed, and the other routes (parameters written as `{*}`) that the callee's framework reported for
 * the same method: a request of this route was none of theirs.
 */
export type KnownPath = Extract<ObservedPath, { known: true }> & { otherRoutes?: ReadonlySet<string> }
export type PathMatcher = (path: KnownPath) => Tri

/** Envoy's characters for one segment of a path template: pchar without `=` and without `*` (its `uri_template_lib`). */
const TEMPLATE_SEGMENT = /^[a-zA-Z0-9\-._~%!$&'()+,;:@]+$/
const TEMPLATE_REST = /^[a-zA-Z0-9\-._~%!$&'()+,;:@]*$/

/** A path of an AuthorizationPolicy, compiled once. Which of Istio's kinds it is, its text alone decides. */
export function pathMatcher(pattern: string): PathMatcher {
  if (isTemplate(pattern)) return templateMatcher(pattern)
  if (pattern === '*') return () => 'yes'
  if (pattern.startsWith('*')) return suffixMatcher(pattern.slice(1))
  if (pattern.endsWith('*')) return prefixMatcher(pattern.slice(0, -1))
  return exactMatcher(pattern)
}

export function isTemplate(pattern: string): boolean {
  return pattern.includes('{*}') || pattern.includes('{**}')
}

// `/a/*/b` comes here too: in the middle a star is a star.
function exactMatcher(text: string): PathMatcher {
  const parts = text.slice(1).split('/')
  return (path) => {
    if (path.literal) return fromBoolean(path.text === text)
    if (!text.startsWith('/') || parts.length !== path.segments.length || path.otherRoutes?.has(text)) return 'no'
    return every(parts.keys(), (index) => matchLiteral(parts[index] ?? '', path.segments[index], path.equals))
  }
}

function prefixMatcher(prefix: string): PathMatcher {
  const parts = prefix.slice(1).split('/')
  const last = parts.length - 1
  return (path) => {
    if (path.literal) return fromBoolean(path.text.startsWith(prefix))
    if (!prefix.startsWith('/') || parts.length > path.segments.length) return 'no'
    return every(parts.keys(), (index) => {
      const segment = path.segments[index]
      const part = parts[index] ?? ''
      if (segment === undefined) return 'no'
      if (index < last) return canBe(segment, part, path.equals)
      if (part === '') return 'yes'
      return segment.kind === 'literal'
        ? fromBoolean(segment.text.startsWith(part))
        : canBegin(segment, part, path.equals)
    })
  }
}

function suffixMatcher(suffix: string): PathMatcher {
  return (path) => {
    if (path.literal) return fromBoolean(path.text.endsWith(suffix))
    const at = path.segments.findLastIndex((segment) => segment.kind !== 'literal')
    const literals = path.segments.slice(at + 1).map((segment) => (segment.kind === 'literal' ? segment.text : ''))
    const tail = literals.map((text) => `/${text}`).join('')
    if (tail.endsWith(suffix)) return 'yes'
    return fromMaybe(suffix.endsWith(tail))
  }
}

function templateMatcher(pattern: string): PathMatcher {
  const parts = pattern.slice(1).split('/')
  // Istio lets such a literal pass and Envoy refuses the configuration that has it: what then runs is not known.
  const refused = parts.some((part) => part !== '{*}' && part !== '{**}' && part.includes('='))
  const open = parts.at(-1) === '{**}'
  const fixed = open ? parts.slice(0, -1) : parts
  return (path) => {
    if (!path.text.startsWith('/') || path.otherRoutes?.has(pattern)) return 'no'
    const { segments, equals } = path
    if (open ? segments.length <= fixed.length : segments.length !== fixed.length) return 'no'
    const head = every(fixed.keys(), (index) => matchPart(fixed[index] ?? '', segments[index], equals))
    const rest = every(segments.slice(fixed.length), (segment) => inTemplate(segment, TEMPLATE_REST, equals))
    const result = all(head, rest)
    return refused && result !== 'no' ? 'unknown' : result
  }
}

function matchPart(part: string, segment: Segment | undefined, equals: boolean): Tri {
  if (part !== '{*}') return matchLiteral(part, segment, equals)
  return segment === undefined ? 'no' : inTemplate(segment, TEMPLATE_SEGMENT, equals)
}

function matchLiteral(part: string, segment: Segment | undefined, equals: boolean): Tri {
  return segment === undefined ? 'no' : canBe(segment, part, equals)
}

// Types are within Envoy's characters by what they are; of a framework's parameter it is taken as read, unless the
// observations say that a `=` was in it.
function inTemplate(segment: Segment, characters: RegExp, equals: boolean): Tri {
  if (segment.kind === 'literal') return fromBoolean(characters.test(segment.text))
  if (segment.kind === 'typed') return 'yes'
  return segment.kind === 'opaque' || equals ? 'unknown' : 'yes'
}

/** Whether a segment is `text`: decided for a literal, possible or excluded for what stands for many values. */
function canBe(segment: Segment, text: string, equals: boolean): Tri {
  if (segment.kind === 'literal') return fromBoolean(segment.text === text)
  if (segment.kind === 'typed') return fromMaybe(typeAdmits(segment.type, text))
  return segment.kind === 'opaque' ? 'unknown' : fromMaybe(isParameterValue(text, equals))
}

function canBegin(segment: Segment, text: string, equals: boolean): Tri {
  if (segment.kind !== 'typed') return segment.kind === 'opaque' ? 'unknown' : fromMaybe(isParameterValue(text, equals))
  return fromMaybe(/^[0-9a-zA-Z{}:.+_-]+$/.test(text) && (segment.type !== 'int' || typeAdmits('int', `${text}0`)))
}

function isParameterValue(text: string, equals: boolean): boolean {
  return TEMPLATE_SEGMENT.test(equals ? text.replaceAll('=', 'e') : text)
}

function fromMaybe(possible: boolean): Tri {
  return possible ? 'unknown' : 'no'
}

/** True when any of the patterns may match; exact ones are looked up first, since a callee may have thousands. */
export function anyPath(patterns: readonly string[]): PathMatcher {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')))
  const matchers = patterns.map((pattern) => ({ pattern, match: pathMatcher(pattern) }))
  const wild = matchers.filter(({ pattern }) => pattern.includes('*'))
  return (path) => {
    if (!path.literal) return some(matchers, ({ match }) => match(path))
    return exact.has(path.text) ? 'yes' : some(wild, ({ match }) => match(path))
  }
}
