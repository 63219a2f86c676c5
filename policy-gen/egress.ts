import { type Declared, NOTHING_DECLARED } from '../services/model/declaration.ts'
import type { EgressNamespace, EgressUse, OutboundTeller } from '../services/model/egress.ts'
import { atLeast } from '../services/model/evidence.ts'
import { joinMarks } from '../services/model/marks.ts'
import type { ObservedOperation, Party, Protocol } from '../services/model/operation.ts'
import { namespaceOf } from './callers.ts'
import { operationOf } from './declared/operations.ts'
import { type GuardOptions, teachesBy, tooFewReplicas } from './guard.ts'
import { serviceAsked } from './replay/declared.ts'
import { isExternal } from './replay/external.ts'
import type { ReplicasOf } from './replicas.ts'

const PORT_MAX = 65_535
/** A DNS name of two labels or more. Who calls chooses it: a star would become a wildcard, an address is no name. */
const HOST = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/
/** The cluster's own names: who calls may have asked for one of them out there, to have it lead elsewhere from then on. */
const INSIDE = /(?:^|\.)(?:svc|local|localhost|localdomain)$|\.svc\./

/** Days on which a namespace's own proxies told of calls, before "it never calls out" is said of it. */
const QUIET_DAYS_MIN = 7

/**
 * What namespaces were seen to call outside of the mesh, for those that did, and those of which it is known that they did not. The
 * namespace is the caller's own proxy's word, so the evidence `address` is enough; a claim is not.
 *
 * @param replicas how many of a caller's replicas a use came from; absent, that is not asked
 * @throws PolicyError `bad_option`
 */
export function egressOf(
  operations: readonly ObservedOperation[],
  options: GuardOptions & { declared?: Declared; outbound?: readonly OutboundTeller[] },
  replicas: ReplicasOf = () => undefined,
): EgressNamespace[] {
  const { minimumReplicas = 1, declared = NOTHING_DECLARED } = options
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
  const found = [...groups].sort(byKey).map(([key, group]): EgressNamespace => {
    const [cluster, namespace] = JSON.parse(key) as [string, string]
    const judged = usesOf(group).map(({ use, seen }) => ({
      use,
      reason: refusal(use, options) ?? aloneWith(seen, minimumReplicas, replicas),
    }))
    return {
      ...{ cluster, namespace, reaches: reachesOf(inside.get(namespace) ?? [], namespace) },
      uses: judged.filter(({ reason }) => reason === null).map(({ use }) => use),
      refused: judged.flatMap(({ use, reason }) => (reason === null ? [] : [{ use, reason }])),
      gateway: group.every(({ source }) => gateways.has(workloadKey(source))),
    }
  })
  return [...found, ...quietOf(operations, options.outbound ?? [], (name) => reachesOf(inside.get(name) ?? [], name))]
}

/** Namespaces that never call out: one attempt, served or not, learned or not, and it is none of them. */
function quietOf(
  operations: readonly ObservedOperation[],
  outbound: readonly OutboundTeller[],
  reachesFrom: (namespace: string) => string[] | null,
): EgressNamespace[] {
  const outside = operations.filter(({ destination }) => isExternal(destination))
  const loud = new Set(outside.map(({ source }) => namespaceOf(source)))
  return outbound
    .filter(({ namespace, days }) => days >= QUIET_DAYS_MIN && !loud.has(namespace))
    .map(({ cluster, namespace, days: quietDays }) => ({
      ...{ cluster, namespace, reaches: reachesFrom(namespace), uses: [], refused: [] },
      ...{ gateway: false, quietDays },
    }))
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

function usesOf(outward: readonly ObservedOperation[]): { use: EgressUse; seen: ObservedOperation[] }[] {
  const hostOf = ({ destination }: ObservedOperation) => destination.id.slice('external:'.length).toLowerCase()
  const groups = Map.groupBy(outward, (one) => JSON.stringify([hostOf(one), one.servicePort, one.protocol]))
  return [...groups].sort(byKey).map(([key, seen]) => {
    const [host, port, protocol] = JSON.parse(key) as [string, number, Protocol]
    const callers = new Set(seen.map(({ source }) => source.workload || source.principal))
    const use = {
      ...{ host, port, protocol },
      callers: [...callers].sort(),
      requests: seen.reduce((sum, { requests }) => sum + requests, 0),
      ...timesOf(seen),
      days: Math.max(...seen.map(({ days }) => days)),
    }
    return { use, seen }
  })
}

function timesOf(seen: readonly ObservedOperation[]): { firstSeen: string; lastSeen: string } {
  const [firstSeen = ''] = seen.map((one) => one.firstSeen).sort()
  const lastSeen =
    seen
      .map((one) => one.lastSeen)
      .sort()
      .at(-1) ?? ''
  return { firstSeen, lastSeen }
}

/** Why a use is no support for any of its callers; null where it is for one. */
function aloneWith(seen: readonly ObservedOperation[], minimum: number, replicas: ReplicasOf): string | null {
  const callers = Map.groupBy(seen, ({ source }) => JSON.stringify([source.principal, workloadKey(source)]))
  const reasons = [...callers.values()].map((own) => {
    const marks = own.reduce((all, one) => joinMarks(all, one.replicas ?? ''), '')
    const [source] = own.map((one) => one.source)
    const use = { principal: source?.principal ?? '', workloads: source ? [source] : [], marks, ...timesOf(own) }
    return tooFewReplicas(replicas(use), minimum)
  })
  return reasons.includes(null) ? null : (reasons[0] ?? null)
}

function refusal({ host, port, days }: EgressUse, { minimumDays = 1 }: GuardOptions): string | null {
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
