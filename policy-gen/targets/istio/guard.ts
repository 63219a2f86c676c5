import type { Callee } from '../../../services/model/permission.ts'
import type { CalleeGrants } from '../../grants/grants.ts'
import { type Binding, metadataOf } from './resources.ts'

/**
 * What holds in a namespace whatever is allowed there later (NIST SP 800-204B, APE-SR-3): a DENY is looked at before any
 * ALLOW. Callers without an identity are refused, unless plaintext was seen; of other namespaces, all but those that were
 * seen to call into this one.
 *
 * @param callees all of one namespace that are asked in this way
 * @param plaintext whether any was seen in the namespace
 * @param waypoint where it holds; the namespace's workloads when left out
 */
export function namespaceGuard(
  place: Callee,
  callees: readonly CalleeGrants[],
  { plaintext, clustered }: { plaintext: boolean; clustered: boolean },
  waypoint?: Binding,
): unknown {
  const { namespace } = place
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
  return guard(place, rules, clustered, waypoint)
}

// As Istio reads a namespace out of an identity.
function isWithin(principal: string, namespace: string): boolean {
  return `/${principal}`.includes(`/ns/${namespace}/`)
}

function guard(callee: Callee, rules: unknown[], clustered: boolean, waypoint?: Binding): unknown {
  return {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: metadataOf(waypoint ? 'cinch-guard-waypoint' : 'cinch-guard', callee, clustered),
    spec: { ...waypoint, action: 'DENY', rules },
  }
}
