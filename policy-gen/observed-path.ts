import type { PathFlag } from '../services/model/operation.ts'
import { normalPath, normalSegment } from './normal-path.ts'

/**
 * One segment of an observed path.
 * - `typed`: stands for values of one type (`{int}`), which the analyzer checked
 * - `parameter`: a framework's own parameter; any one segment
 * - `tail`: all that follows, of whatever depth; only the last one, and only of a learned template
 * - `opaque`: one segment in which a parameter is mixed with letters, whose secret was cut, or that may or may not be one;
 *   `values` matches every text that it can be, and more; `parts` are the letters around the parameters, null when not told
 */
export type Segment =
  | { kind: 'literal'; text: string }
  | { kind: 'typed'; type: SegmentType }
  | { kind: 'parameter' }
  | { kind: 'tail' }
  | { kind: 'opaque'; values: RegExp; parts: string[] | null }

export const SEGMENT_TYPES = ['int', 'uuid', 'hex', 'date'] as const
export type SegmentType = (typeof SEGMENT_TYPES)[number]

/** Where a collector cut a session's id: `;jsessionid=` was sent with a value, so it is no text that a proxy compares. */
const CUT_SECRET = /(?<=;[a-z_-]*(?:sess|sid|token|auth)[a-z_-]*=)(?=;|$)/i

/** Values that a type can have, loosely: good to rule a literal out, not to rule one in. */
const ADMITS: Record<SegmentType, RegExp> = {
  int: /^[+-]?[0-9]+$/,
  uuid: /^\{?[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?$/,
  hex: /^(0[xX])?[0-9a-fA-F]+$/,
  date: /^[0-9TZtz:.+_-]+$/,
}

/** False when no value of the type is written so. */
export function typeAdmits(type: SegmentType, text: string): boolean {
  return ADMITS[type].test(text)
}

/** What an operation's path tells, as a proxy compares it. `literal` is true when `text` is one path, and the only one. */
export type ObservedPath =
  | { known: false; reason: string }
  | { known: true; text: string; segments: Segment[]; literal: boolean; equals: boolean }

/**
 * Reads the `path` of an observed operation. A framework's catch-all route (`/*`) and a route that is only a mount
 * point (`/`) say nothing about which path was asked for: they are unknown, never a matcher. Proxies log paths in their
 * normal form already; what an application or a client says is brought into it here.
 */
export function readObservedPath(path: string, flags: readonly PathFlag[]): ObservedPath {
  if (path === '') return { known: false, reason: 'no reporter told the path' }
  const route = flags.includes('route')
  if (route && isCatchAll(path)) {
    return { known: false, reason: `the framework reported the catch-all route ${JSON.stringify(path)}, not a path` }
  }
  if (route && !path.startsWith('/')) {
    return { known: false, reason: `the reported route ${JSON.stringify(path)} is not a path` }
  }
  const ambiguous = flags.includes('braces') && !route
  const segments = path.startsWith('/')
    ? path
        .slice(1)
        .split('/')
        .map((text) => readSegment(text, route, ambiguous))
    : [{ kind: 'literal' as const, text: path }]
  const equals = flags.includes('equals')
  if (!segments.every((segment) => segment.kind === 'literal')) {
    return { known: true, text: path, segments: segments.map(normalised), literal: false, equals }
  }
  return readLiteral(path, equals)
}

// A path that no proxy serves stays as it is: to call it unknown would make its permission wider.
function readLiteral(path: string, equals: boolean): ObservedPath {
  const text = normalPath(path) ?? path
  const segments = text.startsWith('/') ? text.slice(1).split('/') : [text]
  return {
    known: true,
    text,
    segments: segments.map((part) => ({ kind: 'literal', text: part })),
    literal: true,
    equals,
  }
}

function normalised(segment: Segment): Segment {
  return segment.kind === 'literal' ? { kind: 'literal', text: normalSegment(segment.text) } : segment
}

function isCatchAll(route: string): boolean {
  return route === '/' || route.includes('*') || /\{[^}]*\+\}/.test(route)
}

function readSegment(text: string, route: boolean, ambiguous: boolean): Segment {
  if (ambiguous && /[{}]/.test(text)) return opaque(text)
  const name = /^\{([^{}]*)\}$/.exec(text)?.[1]
  if (name === '**' && !route) return { kind: 'tail' }
  if (name !== undefined) {
    // A route's parameter may be called `int` too: its name says nothing about its values.
    const type = SEGMENT_TYPES.find((candidate) => candidate === name)
    return type && !route ? { kind: 'typed', type } : { kind: 'parameter' }
  }
  // Express and Flask write `:id` and `<id>`; as a literal it would be a rule that never matches.
  if (route && /^(:[A-Za-z_]\w*|<[^<>]+>)$/.test(text)) return { kind: 'parameter' }
  if (/[{}]/.test(text) || CUT_SECRET.test(text)) return opaque(text)
  return { kind: 'literal', text }
}

const OPAQUE_PARTS_MAX = 4

function opaque(text: string): Segment {
  // `split` does not split at the end of a text, where a cut secret mostly is.
  const parts = text.replace(new RegExp(CUT_SECRET, 'gi'), '{}').split(/\{[^{}]*\}/)
  // Braces within braces are a route's own pattern language, of which nothing is taken as known; and whoever sends the path
  // chooses the number of its parts, which a regular expression would have to try.
  if (parts.length > OPAQUE_PARTS_MAX || parts.some((part) => /[{}]/.test(part))) {
    return { kind: 'opaque', values: /^/, parts: null }
  }
  const literals = parts.map(normalSegment)
  const escaped = literals.map((part) => part.replace(/[.*+?^$()|[\]\\]/g, '\\$&'))
  return { kind: 'opaque', values: new RegExp(`^${escaped.join('.*')}$`, 's'), parts: literals }
}
