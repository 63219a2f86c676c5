import type { Callee } from '../../../services/model/permission.ts'
import type { PolicyCase } from '../target.ts'
import type { Opening } from './peers.ts'

/** Bounds the deny cases of a callee; the allow cases are bounded by its callers' workloads. */
const DENY_CASES_MAX = 5
const STRANGER = { namespace: 'cinch-test', workload: 'stranger', labels: { app: 'stranger' } }

/** The cases that ship with the policies: who was seen reaches the port, strangers and other ports do not. */
export function casesOf(openings: ReadonlyMap<Callee, readonly Opening[]>): PolicyCase[] {
  return [...openings].flatMap(([callee, list]) => {
    const allowed = [
      ...new Map(list.map((one) => caseOf('observed', callee, one)).map((one) => [JSON.stringify(one), one])).values(),
    ]
    const strangers = allowed
      .slice(0, DENY_CASES_MAX)
      .map((one) => denied('unknown caller', { ...one, caller: STRANGER }))
    const others = list.flatMap((one) => {
      const port = one.port === 65_535 ? 65_534 : one.port + 1
      const open = list.some((other) => covers(other, one) && (other.port === 0 || other.port === port))
      return open ? [] : [denied('another port', { ...caseOf('', callee, one), port })]
    })
    const distinct = new Map(others.map((one) => [JSON.stringify(one), one]))
    return [...allowed, ...strangers, ...[...distinct.values()].slice(0, DENY_CASES_MAX)]
  })
}

function denied(name: string, one: PolicyCase): PolicyCase {
  return { ...one, name, expect: 'deny' }
}

function caseOf(name: string, callee: Callee, { permission, workload, peer, port }: Opening): PolicyCase {
  const { cluster, namespace, workload: called, selector: labels } = callee
  return {
    ...{ name, cluster, namespace, workload: called, labels },
    principal: permission.caller.principal,
    caller: { namespace: peer.namespace, workload: workload.workload, labels: peer.selector ?? {} },
    method: 'GET',
    path: '/',
    port,
    expect: 'allow',
  }
}

// Whether one opening's pods include another's, as far as their selectors tell.
function covers({ peer }: Opening, { peer: other }: Opening): boolean {
  const labels = Object.entries(peer.selector ?? {})
  return peer.namespace === other.namespace && labels.every(([key, value]) => other.selector?.[key] === value)
}
