import { NOTHING_DECLARED } from '../../services/model/declaration.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import type { ReplayCall, ReplayResult } from '../../services/model/replay.ts'
import { declaredBy, operationOf } from '../declared/operations.ts'
import { askedOf, type ReplayContext } from './asked.ts'
import { decideBehind } from './behind.ts'
import { decideByUser } from './by-user.ts'
import { type IgnoredDocument, ignoredDocument, type PolicyText, readPolicySet } from './documents.ts'
import { formats } from './formats.ts'
import { type Layer, throughAll, type Verdict } from './layer.ts'
import type { ReplayRequest } from './request.ts'

/** A replay's result, with the documents that it could not take into account. */
export interface Replay extends ReplayResult {
  ignored: IgnoredDocument[]
}

/**
 * Evaluates rendered policies on everything that was observed: what was served and would be denied, what was denied and
 * would be served, and what cannot be decided from what is known. It reads the files and nothing else about them.
 *
 * @throws PolicyError `bad_policy`, `bad_option`
 */
export function replay(
  files: readonly PolicyText[],
  operations: readonly ObservedOperation[],
  context: ReplayContext,
): Replay {
  const set = readPolicySet(files)
  const { asked, layers } = askedOf(operations, context)
  const read = formats.flatMap((format) => format.read(set, layers) ?? [])
  const decide = decideBehind(throughAll(read.map(({ layer }) => layer)), layers.index)
  const result: Replay = {
    window: context.window,
    requests: 0,
    still_allowed: 0,
    still_denied: 0,
    newly_denied: [],
    newly_allowed: [],
    uncertain: [],
    denied_not_found: [],
    refused: [],
    declared: declaredUnder(decide, context),
    ignored: [...read.flatMap(({ ignored }) => ignored), ...set.rest().map(ignoredDocument)],
  }
  for (const { asked: one, verdict } of decideByUser(asked, decide)) {
    count(result, one.operation, one.request, verdict)
  }
  const { newly_denied, newly_allowed, uncertain, denied_not_found, refused } = result
  for (const calls of [newly_denied, newly_allowed, uncertain, denied_not_found, refused]) calls.sort(byRequests)
  return result
}

/** Each declaration is asked by itself: routes of it say nothing of others' requests. */
function declaredUnder(decide: Layer, context: ReplayContext): ReplayResult['declared'] {
  const { active, expired } = context.declared ?? NOTHING_DECLARED
  const verdicts = active.length > 0 ? decide(askedOf(active.map(operationOf), context).asked) : []
  const refused = active.flatMap((declaration, at) => {
    const { allowed, reason } = verdicts[at] ?? { allowed: 'unknown', reason: '' }
    return allowed === 'yes' ? [] : [{ ...declaredBy(declaration), why: reason }]
  })
  return { allowed: active.length - refused.length, not_allowed: refused, expired: expired.map(({ id }) => id) }
}

function count(result: Replay, operation: ObservedOperation, request: ReplayRequest, verdict: Verdict): void {
  const { requests, denied, notFound = 0 } = operation
  const add = (list: ReplayCall[], of: number): void => {
    if (of > 0) list.push(callOf(operation, request, of, verdict.reason))
  }
  result.requests += requests + denied
  if (verdict.allowed === 'unknown') add(result.uncertain, requests + denied)
  else if (verdict.allowed === 'yes') {
    result.still_allowed += requests
    add(result.newly_allowed, denied)
  } else {
    result.still_denied += denied
    const { evidence } = operation.source
    if (denied > 0)
      result.refused.push({ ...callOf(operation, request, denied, verdict.reason), evidence, days: operation.days })
    add(result.newly_denied, requests - notFound)
    add(result.denied_not_found, notFound)
  }
}

function callOf(operation: ObservedOperation, request: ReplayRequest, requests: number, reason: string): ReplayCall {
  const { source, destination } = operation
  return {
    source: request.caller.is === 'known' ? request.caller.principal : source.principal || source.id,
    destination: destination.id || `${destination.namespace}/${destination.workload}`,
    service_port: operation.servicePort,
    workload_port: request.port,
    method: operation.method,
    path: operation.path,
    requests,
    first_seen: operation.firstSeen,
    last_seen: operation.lastSeen,
    reason,
  }
}

function byRequests(left: ReplayCall, right: ReplayCall): number {
  return right.requests - left.requests || compare(sortKey(left), sortKey(right))
}

function sortKey(call: ReplayCall): string {
  return JSON.stringify([call.destination, call.source, call.method, call.path, call.workload_port])
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
