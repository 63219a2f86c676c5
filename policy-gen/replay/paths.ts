import { type ObservedPath, type Segment, typeAdmits } from '../observed-path.ts'
import { TEMPLATE_VALUE } from '../template-characters.ts'
import { all, every, fromBoolean, some, type Tri } from './tri.ts'

/**
 * A path that was observed, and the other routes (parameters written as `{*}`) that the callee's framework reported for
 * the same method: a request of this route was none of theirs.
 */
export type KnownPath = Extract<ObservedPath, { known: true }> & { otherRoutes?: ReadonlySet<string> }
export type PathMatcher = (path: KnownPath) => Tri

/** The path as a whole. */
export function exactPath(text: string): PathMatcher {
  const parts = text.slice(1).split('/')
  return (path) => {
    if (path.literal) return fromBoolean(path.text === text)
    if (!text.startsWith('/') || parts.length !== path.segments.length || path.otherRoutes?.has(text)) return 'no'
    return every(path.segments.keys(), (index) => canBe(path.segments[index], parts[index] ?? ''))
  }
}

/** Paths that begin so. */
export function prefixPath(prefix: string): PathMatcher {
  const parts = prefix.slice(1).split('/')
  const last = parts.length - 1
  return (path) => {
    if (path.literal) return fromBoolean(path.text.startsWith(prefix))
    if (!prefix.startsWith('/') || parts.length > path.segments.length) return 'no'
    return every(parts.keys(), (index) => {
      const segment = path.segments[index]
      const part = parts[index] ?? ''
      if (segment === undefined) return 'no'
      if (index < last) return canBe(segment, part)
      if (part === '') return 'yes'
      return segment.kind === 'literal' ? fromBoolean(segment.text.startsWith(part)) : canBegin(segment, part)
    })
  }
}

/** Paths that end so. */
export function suffixPath(suffix: string): PathMatcher {
  return (path) => {
    if (path.literal) return fromBoolean(path.text.endsWith(suffix))
    const at = path.segments.findLastIndex((segment) => segment.kind !== 'literal')
    const literals = path.segments.slice(at + 1).map((segment) => (segment.kind === 'literal' ? segment.text : ''))
    const tail = literals.map((text) => `/${text}`).join('')
    if (tail.endsWith(suffix)) return 'yes'
    return fromMaybe(suffix.endsWith(tail))
  }
}

/**
 * Envoy's path templates, in Istio's words: `{*}` is one segment, `{**}` one or more, which may be empty; only literals
 * follow it.
 */
export function templatePath(pattern: string): PathMatcher {
  const parts = pattern.slice(1).split('/')
  // Envoy refuses an empty segment, and what then runs is not known.
  const refused = pattern.includes('//')
  const at = parts.indexOf('{**}')
  const head = at < 0 ? parts : parts.slice(0, at)
  const tail = at < 0 ? [] : parts.slice(at + 1)
  return (path) => {
    if (!path.text.startsWith('/') || path.otherRoutes?.has(pattern)) return 'no'
    const { segments } = path
    const between = segments.length - head.length - tail.length
    if (at < 0 ? between !== 0 : between < 1) return 'no'
    const result = all(
      every(head.keys(), (index) => matchPart(head[index] ?? '', segments[index])),
      every(segments.slice(head.length, head.length + between), (one) => inTemplate(one, true)),
      every(tail.keys(), (index) => matchPart(tail[index] ?? '', segments[head.length + between + index])),
    )
    return refused && result !== 'no' ? 'unknown' : result
  }
}

function matchPart(part: string, segment: Segment | undefined): Tri {
  return part === '{*}' && segment ? inTemplate(segment, false) : canBe(segment, part)
}

// Types are within Envoy's characters by what they are; of a framework's parameter, and of literal braces, which a proxy
// escapes, it is taken as read.
function inTemplate(segment: Segment, emptyToo: boolean): Tri {
  if (segment.kind === 'literal')
    return fromBoolean((emptyToo && segment.text === '') || TEMPLATE_VALUE.test(segment.text))
  return 'yes'
}

/** Whether a segment is `text`: decided for a literal, possible or excluded for what stands for many values. */
export function canBe(segment: Segment | undefined, text: string): Tri {
  if (segment === undefined) return 'no'
  if (segment.kind === 'literal') return fromBoolean(segment.text === text)
  if (segment.kind === 'typed') return fromMaybe(typeAdmits(segment.type, text))
  return fromMaybe(segment.kind === 'opaque' ? segment.values.test(text) : isParameterValue(text))
}

function canBegin(segment: Segment, text: string): Tri {
  if (segment.kind !== 'typed') return segment.kind === 'opaque' ? 'unknown' : fromMaybe(isParameterValue(text))
  return fromMaybe(/^[0-9a-zA-Z{}:.+_-]+$/.test(text) && (segment.type !== 'int' || typeAdmits('int', `${text}0`)))
}

// A star between slashes is what people write who take it for a wildcard: no parameter is taken to have that value.
function isParameterValue(text: string): boolean {
  return text !== '*' && TEMPLATE_VALUE.test(text)
}

function fromMaybe(possible: boolean): Tri {
  return possible ? 'unknown' : 'no'
}

/** True when any may match; exact ones are looked up first, since a callee may have thousands. */
export function anyPathOf(exact: readonly string[], others: readonly PathMatcher[]): PathMatcher {
  const known = new Set(exact)
  const matchers = [...exact.map(exactPath), ...others]
  return (path) => {
    if (!path.literal) return some(matchers, (match) => match(path))
    return known.has(path.text) ? 'yes' : some(others, (match) => match(path))
  }
}
