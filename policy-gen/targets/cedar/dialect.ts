import type { PathFlag } from '../../../services/model/operation.ts'
import { claimOf, isClaimValue } from '../../grants/claims.ts'
import type { Dialect } from '../../grants/grants.ts'
import { type PathPattern, type WrittenPath, writablePath } from '../../grants/pattern.ts'
import type { Segment } from '../../observed-path.ts'

/** Cedar compares every text as it is; a parameter, or a part of a segment, is any text without a slash. */
export const dialect: Dialect = {
  path: cedarPath,
  method: () => true,
  // The schema has these of a user, and no other claims.
  condition: (condition) =>
    ['iss', 'groups'].includes(claimOf(condition) ?? '') && condition.values.every(isClaimValue),
  callee: () => [],
}

function cedarPath(path: string, flags: readonly PathFlag[]): WrittenPath {
  const observed = writablePath(path, flags)
  if ('as' in observed) return observed
  if (observed.literal) return { as: 'written', value: observed.text }
  const value = `/${observed.segments.map(patternOf).join('/')}`
  if (!observed.segments.every((segment) => segment.kind !== 'opaque' || segment.parts)) {
    const detail = `what a segment can be is not known; ${value} allows any value of it`
    return { as: 'widened', value, kind: 'mixed_segment', detail }
  }
  return observed.segments.at(-1)?.kind === 'tail' ? tail(value) : { as: 'written', value }
}

// Slashes can only be counted where the depth is known: before a tail, `like`'s star may take some.
function tail(value: PathPattern): WrittenPath {
  const kind = 'template_tail'
  const below = `${value} matches paths of every depth below it`
  if (!value.includes('{*}')) return { as: 'noted', value, kind, detail: `${below}; its values were seen in several` }
  const detail = `${below}, and a parameter before it may be empty or have slashes`
  return { as: 'widened', value, kind, detail }
}

function patternOf(segment: Segment): string {
  if (segment.kind === 'literal') return segment.text
  if (segment.kind === 'tail') return '{**}'
  return segment.kind === 'opaque' && segment.parts ? segment.parts.join('{*}') : '{*}'
}
