import type { PathFlag } from '../../services/model/operation.ts'
import { normalPath } from '../normal-path.ts'
import { type ObservedPath, readObservedPath } from '../observed-path.ts'
import { TEMPLATE_VALUE } from '../template-characters.ts'

/**
 * A path of a grant, whatever the target: empty is any path; `{*}` stands for one value of RFC 3986's path characters, a
 * segment or a part of one; `{**}` at the end for anything below. All else is what the proxy compares, which has no braces.
 */
export type PathPattern = string

/**
 * How an observed path is written for a target.
 * - `written`: `value` means what was observed, no more
 * - `noted`: the same, under a condition that `detail` says
 * - `widened`: `value` also matches what was not observed
 * - `refused`: nothing that can be written means it
 */
export type WrittenPath =
  | { as: 'written'; value: PathPattern }
  | { as: 'noted' | 'widened'; value: PathPattern; kind: string; detail: string }
  | { as: 'refused'; kind: string; detail: string }

export type KnownPath = Extract<ObservedPath, { known: true }>

/**
 * Reads one observed path, and refuses what no target may get: paths come from whoever sent the telemetry, and none may
 * turn into a wildcard.
 */
export function writablePath(
  path: string,
  flags: readonly PathFlag[],
): KnownPath | Extract<WrittenPath, { as: 'written' | 'refused' }> {
  const observed = readObservedPath(path, flags)
  if (!observed.known) return { as: 'written', value: '' }
  return refusal(path, flags, observed.literal) ?? observed
}

function refusal(path: string, flags: readonly PathFlag[], literal: boolean) {
  const refuse = (kind: string, detail: string) => ({ as: 'refused', kind, detail }) as const
  if (!path.startsWith('/')) return refuse('path_not_absolute', 'the request target is no absolute path')
  if (flags.includes('braces') && !flags.includes('route')) {
    return refuse('path_braces', 'the path has literal braces, which cannot be told from a parameter')
  }
  if (flags.includes('dot_segment')) {
    return refuse('path_dot_segment', 'the path has dot segments, which the proxy removes before it matches')
  }
  if (path.includes('?') || (literal ? normalPath(path) === null : /[^\x21-\x7e]|#|%00/.test(path))) {
    return refuse('path_characters', 'the path has characters that a proxy does not match as they are')
  }
  return null
}

export function isPrefix(pattern: PathPattern): boolean {
  return pattern.endsWith('/{**}')
}

/** What a prefix matches begins so: `/a/` for `/a/{**}`. */
export function prefixOf(pattern: PathPattern): string {
  return pattern.slice(0, -'{**}'.length)
}

/** What a pattern matches, for the generator's own cases and notes: not for replay, which must not share its mistakes. */
export function matcherOf(pattern: PathPattern): RegExp {
  if (pattern === '') return /^/
  const source = (text: string) => text.split('{*}').map(escapeRegExp).join(TEMPLATE_VALUE.source.slice(1, -1))
  return new RegExp(isPrefix(pattern) ? `^${source(prefixOf(pattern))}` : `^${source(pattern)}$`)
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
