import type { PathFlag } from '../../../services/model/operation.ts'
import type { Callee } from '../../../services/model/permission.ts'
import { claimOf, isClaimValue, isOneLine } from '../../grants/claims.ts'
import type { Dialect } from '../../grants/grants.ts'
import { calleeLoss } from '../../grants/loss.ts'
import { type WrittenPath, writablePath } from '../../grants/pattern.ts'
import type { Segment } from '../../observed-path.ts'
import type { Loss } from '../target.ts'
import { isTemplate } from './matchers.ts'

export const dialect: Dialect = {
  path: envoyPath,
  // RFC 9110, 5.6.2: nothing else reaches a filter.
  method: (method) => /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(method),
  condition: (condition) =>
    claimOf(condition) !== null && condition.values.every((value) => isClaimValue(value) && isOneLine(value)),
  callee: mutualTlsLoss,
}

/** What Envoy can say of one observed path: all of it, but where it is not known how a parameter lies in its segment. */
function envoyPath(path: string, flags: readonly PathFlag[]): WrittenPath {
  const observed = writablePath(path, flags)
  if ('as' in observed) return observed
  if (observed.literal) return { as: 'written', value: observed.text }
  const value = `/${observed.segments.map(textOf).join('/')}`
  if (observed.segments.some((segment) => segment.kind === 'opaque' && segment.parts === null)) {
    const detail = `a parameter is a part of a segment, which is not known; ${value} allows any value of the whole segment`
    return { as: 'widened', value, kind: 'mixed_segment', detail }
  }
  if (observed.segments.at(-1)?.kind === 'tail') {
    const detail = `${value} matches paths of every depth below it; its values were seen in several`
    return { as: 'noted', value, kind: 'template_tail', detail }
  }
  if (!observed.equals || !isTemplate(value)) return { as: 'written', value }
  const detail =
    "the path or its values contain '=': Envoy matches it in a template (1.36, 1.38 and 1.40 were asked); the template library of 2022 did not, and such a proxy denies the requests"
  return { as: 'noted', value, kind: 'template_equals', detail }
}

function textOf(segment: Segment): string {
  if (segment.kind === 'literal') return segment.text
  if (segment.kind === 'tail') return '{**}'
  return segment.kind === 'opaque' && segment.parts ? segment.parts.join('{*}') : '{*}'
}

function mutualTlsLoss(callee: Callee): Loss[] {
  if (callee.plaintextRequests > 0 || callee.mutualTlsSeen) return []
  const detail = 'no reporter told whether callers use mutual TLS; requests of those that do not are denied'
  return [calleeLoss(callee, 'mutual_tls_unknown', 'noted', detail)]
}
