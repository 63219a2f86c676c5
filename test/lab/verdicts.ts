import { normalPath } from '../../policy-gen/normal-path.ts'
import type { PolicyText } from '../../policy-gen/replay/documents.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import type { Inventory } from '../../services/model/inventory.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import type { LabRequest, Outcome } from './driver.ts'
import type { Callee } from './envoy-config.ts'

export type Decision = 'allowed' | 'denied' | 'uncertain'

export const WINDOW = { since: '2026-01-01T00:00:00Z', until: '2026-01-02T00:00:00Z' }

/** The request as an observation: as it was sent (`asSent`), or in the form that Envoy gives it. */
export function observationOf(request: LabRequest, callee: Callee, asSent = false): ObservedOperation {
  const sent = request.path.split('?')[0] ?? ''
  const ports = callee.ports.find(({ servicePort }) => servicePort === (request.servicePort ?? 80))
  const [, , callers = '', , account = ''] = request.caller.split('/')
  const { namespace, service } = callee
  const about = { cluster: '', principal: '' }
  return {
    source: {
      ...about,
      id: request.caller,
      principal: request.caller,
      namespace: callers,
      workload: account,
      evidence: 'verified',
    },
    destination: {
      ...about,
      id: `${namespace}/${service}`,
      namespace,
      workload: service,
      service: `${service}.${namespace}`,
    },
    servicePort: ports?.servicePort ?? 0,
    workloadPort: ports?.workloadPort ?? 0,
    protocol: 'http',
    method: request.method,
    path: asSent ? sent : (normalPath(sent) ?? sent),
    pathFlags: asSent && /[{}]/.test(sent) ? ['braces'] : [],
    mtls: 'yes',
    reporter: 'destination',
    requests: 1,
    denied: 0,
    firstSeen: '',
    lastSeen: '',
    days: 1,
  }
}

/** Replay's verdict on each of the operations, in their order. */
export function verdicts(
  policies: string | readonly PolicyText[],
  operations: readonly ObservedOperation[],
  inventory: Inventory,
): Decision[] {
  const files = typeof policies === 'string' ? [{ path: 'policies.yaml', content: policies }] : policies
  // The time tells them apart in the result, which groups by verdict.
  const marked = operations.map((operation, at) => ({ ...operation, firstSeen: `#${at}` }))
  const result = replay(files, marked, { inventory, window: WINDOW })
  const seen = (calls: typeof result.uncertain) => new Set(calls.map(({ first_seen }) => first_seen))
  const [denied, uncertain] = [seen(result.newly_denied), seen(result.uncertain)]
  return marked.map(({ firstSeen }) =>
    denied.has(firstSeen) ? 'denied' : uncertain.has(firstSeen) ? 'uncertain' : 'allowed',
  )
}

export interface Comparison {
  allowed: number
  denied: number
  /** Refused by a proxy before any decision. */
  undecided: number
  uncertain: string[]
  /** Where replay said the opposite of Envoy. */
  wrong: string[]
}

/** Envoy's decisions against replay's, one by one. */
export function compare(
  requests: readonly LabRequest[],
  outcomes: readonly Outcome[],
  said: readonly Decision[],
): Comparison {
  const result: Comparison = { allowed: 0, denied: 0, undecided: 0, uncertain: [], wrong: [] }
  for (const [at, outcome] of outcomes.entries()) {
    if (outcome.decidedBy === 'proxy') {
      result.undecided++
      continue
    }
    const { caller, method, path, servicePort } = requests[at] as LabRequest
    const text = `${caller} ${method} ${path} on ${servicePort}: Envoy ${outcome.allowed ? 'allowed' : 'denied'}`
    if (outcome.allowed) result.allowed++
    else result.denied++
    if (said[at] === 'uncertain') result.uncertain.push(text)
    else if ((said[at] === 'allowed') !== outcome.allowed) result.wrong.push(`${text}, replay ${said[at]}`)
  }
  return result
}
