import { issuersAt } from '../../grants/claims.ts'
import type { CalleeGrants } from '../../grants/grants.ts'
import { calleeLoss } from '../../grants/loss.ts'
import type { Loss } from '../target.ts'
import { type Binding, metadataOf, toWorkload } from './resources.ts'

// A StringOrURI of RFC 7519, of characters that are the same to every reader.
function isIssuer(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text)
}

/**
 * Verifies the tokens that a callee's conditions look at, of every issuer that was seen there: a token of another one is
 * answered with 401. Keys are found by the issuer's own discovery document, as Istio does where `jwksUri` is left out.
 *
 * @returns null when no condition looks at tokens
 */
export function requestAuthentication(
  entry: CalleeGrants,
  name: string,
  clustered: boolean,
  binding: Binding = toWorkload(entry.callee),
): { resource: unknown; loss: Loss } | null {
  const { callee } = entry
  const issuers = issuersAt(entry)?.filter(isIssuer)
  if (!issuers) return null
  const resource = {
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: metadataOf(name, callee, clustered),
    spec: {
      ...binding,
      // The callee's application may read the token too.
      jwtRules: issuers.map((issuer) => ({ issuer, forwardOriginalToken: true })),
    },
  }
  const detail = `tokens are verified from now on: one that has expired, or of another issuer than ${issuers.join(', ')}, is answered with 401`
  return { resource, loss: calleeLoss(callee, 'request_authentication', 'noted', detail) }
}
