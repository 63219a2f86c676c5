import type { Callee } from '../../../services/model/permission.ts'
import { claimOf, isClaimValue, isOneLine } from '../../grants/claims.ts'
import type { Dialect } from '../../grants/grants.ts'
import { calleeLoss } from '../../grants/loss.ts'
import type { Loss } from '../target.ts'
import { istioPath } from './paths.ts'
import { ROOT_NAMESPACE } from './resources.ts'

export const dialect: Dialect = {
  path: istioPath,
  // A star in a method is a wildcard to Istio, and methods are what the client sent.
  method: (method) => /^[A-Za-z0-9!#$%&'+.^_`|~-]+$/.test(method),
  condition: (condition) =>
    claimOf(condition) !== null && condition.values.length > 0 && condition.values.every(isExact),
  callee: (callee) => [...mutualTlsLoss(callee), ...rootNamespaceLoss(callee)],
}

// A star at either end is a wildcard.
function isExact(value: string): boolean {
  return isClaimValue(value) && isOneLine(value) && !/^\*|\*$/.test(value)
}

function rootNamespaceLoss(callee: Callee): Loss[] {
  if (callee.namespace !== ROOT_NAMESPACE) return []
  const detail = `policies in ${ROOT_NAMESPACE} also select pods with these labels in every other namespace; no default deny is written there`
  return [calleeLoss(callee, 'root_namespace', 'widened', detail)]
}

function mutualTlsLoss(callee: Callee): Loss[] {
  if (callee.plaintextRequests > 0) {
    const detail = 'plaintext requests were seen: mutual TLS stays PERMISSIVE until their callers use it'
    return [calleeLoss(callee, 'plaintext', 'widened', detail, callee.plaintextRequests)]
  }
  if (callee.mutualTlsSeen) return []
  const detail = 'no reporter told whether callers use mutual TLS; STRICT refuses those that do not'
  return [calleeLoss(callee, 'mutual_tls_unknown', 'noted', detail)]
}
