import type { Random } from './random.ts'
import type { CallSpec } from './tables.ts'

/** How a call ended, in the access log's words. One object for each ending, so that rendered text can hang on it. */
export interface Outcome {
  readonly status: number
  /** `%GRPC_STATUS%`, empty when it was not gRPC. */
  readonly grpcStatus: string
  readonly details: string
  readonly flags: string
  /** Answered by the proxy, so nothing was asked upstream. */
  readonly local: boolean
  readonly refused: boolean
}

const OK_STATUS: Record<string, number> = { POST: 201, DELETE: 204 }
const known = new Map<string, Outcome>()
const NO_ROUTE: Outcome = { ...answer(404, ''), details: 'route_not_found', flags: 'NR', local: true }
const REFUSED = { details: 'rbac_access_denied_matched_policy[none]', local: true, refused: true }
/** The RBAC filter refuses gRPC with HTTP 200 and a gRPC status, everything else with 403. */
const REFUSED_HTTP: Outcome = { ...answer(403, ''), ...REFUSED }
const REFUSED_GRPC: Outcome = { ...answer(200, 'PermissionDenied'), ...REFUSED }

/** Draws how `call` ends: mostly well, sometimes 404 or 503, or as the table says. */
export function decide(call: CallSpec, draw: Random): Outcome {
  if (call.noRoute) return NO_ROUTE
  if (call.refused) return call.protocol === 'grpc' ? REFUSED_GRPC : REFUSED_HTTP
  const chance = draw()
  if (call.protocol === 'grpc')
    return answer(200, chance < call.failShare ? 'Unavailable' : chance > 0.997 ? 'NotFound' : 'OK')
  if (chance < call.failShare) return answer(503, '')
  if (call.status) return answer(call.status, '')
  const mayMiss = call.path.parameters.length > 0 && call.method === 'GET'
  if (mayMiss && chance > 1 - call.notFoundShare) return answer(404, '')
  return answer(OK_STATUS[call.method] ?? 200, '')
}

/** What the caller's proxy says of the same ending: to it, whatever came was the upstream's answer. */
export function seenByCaller({ status, grpcStatus }: Outcome): Outcome {
  return answer(status, grpcStatus)
}

function answer(status: number, grpcStatus: string): Outcome {
  const key = grpcStatus || String(status)
  const outcome = known.get(key)
  if (outcome) return outcome
  const fresh = { status, grpcStatus, details: 'via_upstream', flags: '-', local: false, refused: false }
  known.set(key, fresh)
  return fresh
}
