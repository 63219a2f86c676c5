import { type Declared, NOTHING_DECLARED } from '../services/model/declaration.ts'
import { atLeast } from '../services/model/evidence.ts'
import type { ObservedOperation, Party, Protocol } from '../services/model/operation.ts'
import { namespaceOf } from './callers.ts'
import { operationOf } from './declared/operations.ts'
import { type GuardOptions, teachesBy } from './guard.ts'
import { serviceAsked } from './replay/declared.ts'
import { isExternal } from './replay/external.ts'

/** One port of a host outside of the mesh, as one namespace used it. */
export interface EgressUse {
  host: string
  port: number
  protocol: Protocol
  /** The workloads that called it. */
  callers: string[]
  requests: number
  firstSeen: string
  lastSeen: string
  /** A lower bound: of the caller that was seen on most. */
  days: number
}

/** Where a namespace's workloads call to: what leaves the mesh by host and port, and the other namespaces. */
export interface EgressNamespace {
  cluster: string
  namespace: string
  /** The namespaces of its callees, its own left out; null where one of them is not known. */
  reaches: string[] | null
  uses: EgressUse[]
  /** Uses that cannot be written, with the reason. */
  refused: { use: EgressUse; reason: string }[]
  /** True where its uses are those of gateways: others' calls pass through it. */
  gateway: boolean
}

const PORT_MAX = 65_535
/** A DNS name of two labels or more. Who calls chooses it: a star would become a wildcard, an address is no name. */
const HOST = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/
/** The cluster's own names: who calls may have asked for one of them out there, to have it lead elsewhere from then on. */
const INSIDE = /(?:^|\.)(?:svc|local|localhost|localdomain)$|\.svc\./

/**
 * What namespaces were seen to call outside of the mesh, for those that did. The namespace is the caller's own proxy's word,
 * so the evidence `address` is enough; a claim is not.
 *
 * @throws PolicyError `bad_option`
 */
export function egressOf(
  operations: readonly ObservedOperation[],
  options: GuardOptions & { declared?: Declared },
): EgressNamespace[] {
  const { minimumDays = 1, declared = NOTHING_DECLARED } = options
  const teaches = teachesBy(options)
  const served = operations.filter(
    ({ source, requests, notFound = 0 }) => requests > notFound && atLeast(source.evidence, 'address'),
  )
  const inside = Map.groupBy(
    [...served, ...declared.active.map(operationOf)].filter(({ destination }) => !isExternal(destination)),
    ({ source }) => namespaceOf(source),
  )
  const gateways = new Set(
    operations.filter(({ reporter }) => reporter === 'gateway').map(({ destination }) => workloadKey(destination)),
  )
  const outward = served.filter((one) => isExternal(one.destination) && namespaceOf(one.source) !== '' && teaches(one))
  const groups = Map.groupBy(outward, ({ source }) => JSON.stringify([source.cluster, namespaceOf(source)]))
  return [...groups].sort(byKey).map(([key, group]): EgressNamespace => {
    const [cluster, namespace] = JSON.parse(key) as [string, string]
    const judged = usesOf(group).map((use) => ({ use, reason: refusal(use, minimumDays) }))
    return {
      ...{ cluster, namespace, reaches: reachesOf(inside.get(namespace) ?? [], namespace) },
      uses: judged.filter(({ reason }) => reason === null).map(({ use }) => use),
      refused: judged.flatMap(({ use, reason }) => (reason === null ? [] : [{ use, reason }])),
      gateway: group.every(({ source }) => gateways.has(workloadKey(source))),
    }
  })
}

// Whatever the cluster: a namespace's name means the same in all of a mesh, and callees do not tell their callers' cluster.
function reachesOf(inside: readonly ObservedOperation[], own: string): string[] | null {
  const namespaces = inside.flatMap(({ destination }) => [
    destination.namespace,
    serviceAsked(destination)?.namespace || destination.namespace,
  ])
  if (namespaces.includes('')) return null
  return [...new Set(namespaces)].filter((namespace) => namespace !== own).sort()
}

function usesOf(outward: readonly ObservedOperation[]): EgressUse[] {
  const uses = new Map<string, EgressUse>()
  for (const { source, destination, servicePort: port, protocol, ...seen } of outward) {
    const host = destination.id.slice('external:'.length).toLowerCase()
    const key = JSON.stringify([host, port, protocol])
    const caller = source.workload || source.principal
    const known = uses.get(key)
    uses.set(key, {
      ...{ host, port, protocol },
      callers: [...new Set([...(known?.callers ?? []), caller])].sort(),
      requests: (known?.requests ?? 0) + seen.requests,
      firstSeen: known && known.firstSeen < seen.firstSeen ? known.firstSeen : seen.firstSeen,
      lastSeen: known && known.lastSeen > seen.lastSeen ? known.lastSeen : seen.lastSeen,
      days: Math.max(known?.days ?? 0, seen.days),
    })
  }
  return [...uses].sort(byKey).map(([, use]) => use)
}

function refusal({ host, port, days }: EgressUse, minimumDays: number): string | null {
  if (!HOST.test(host))
    return `${JSON.stringify(host)} is no DNS name of a host: an address or a wildcard is not written`
  if (INSIDE.test(host)) return `${host} is a name of the cluster's own`
  if (port < 1 || port > PORT_MAX) return 'no reporter told the port that was asked for'
  return days < minimumDays ? `it was seen on ${days} of ${minimumDays} days` : null
}

function workloadKey({ cluster, namespace, workload }: Party): string {
  return JSON.stringify([cluster, namespace, workload])
}

function byKey([left]: [string, unknown], [right]: [string, unknown]): number {
  return left < right ? -1 : 1
}
