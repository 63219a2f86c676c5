import type { Callee } from '../../../services/model/permission.ts'
import type { CalleeGrants } from '../../grants/grants.ts'
import { metadataOf } from './resources.ts'

/**
 * What holds in a namespace whatever is allowed there later (NIST SP 800-204B, APE-SR-3): a DENY is looked at before any
 * ALLOW. Callers without an identity are refused, unless plaintext was seen; of other namespaces, all but those that were
 * seen to call into this one.
 *
 * @param callees all of one namespace
 */
export function namespaceGuard(callees: readonly CalleeGrants[], clustered: boolean): unknown[] {
  const [first] = callees
  if (!first) return []
  const { namespace } = first.callee
  const plaintext = callees.some(({ callee }) => callee.plaintextRequests > 0)
  const callers = new Set(callees.flatMap(({ grants }) => [...grants.keys()]))
  const foreign = [...callers].filter((principal) => !isWithin(principal, namespace)).sort()
  const rules = [
    ...(plaintext ? [] : [{ from: [{ source: { notPrincipals: ['*'] } }] }]),
    {
      from: [
        {
          source: {
            // A caller without an identity is for the rule above, or for no rule.
            principals: ['*'],
            ...(foreign.length > 0 ? { notPrincipals: foreign } : {}),
            notNamespaces: [namespace],
          },
        },
      ],
    },
  ]
  return [guard(first.callee, rules, clustered)]
}

// As Istio reads a namespace out of an identity.
function isWithin(principal: string, namespace: string): boolean {
  return `/${principal}`.includes(`/ns/${namespace}/`)
}

function guard(callee: Callee, rules: unknown[], clustered: boolean): unknown {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: metadataOf('cinch-guard', callee, clustered),
    spec: { action: 'DENY', rules },
  }
}
