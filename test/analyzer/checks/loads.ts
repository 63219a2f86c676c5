import { operator } from '../../../services/collector/origin.ts'
import type { CheckResult } from '../../../services/model/check.ts'
import { run } from '../../../services/store/store.ts'
import type { TestApi } from '../../api/support.ts'
import { type ShortSpan, spanLine } from '../../support/telemetry.ts'
import type { Row } from './rows.ts'

/** Where and when a scenario plays: a namespace and a day of its own. */
export interface Place {
  namespace: string
  /** ISO 8601, UTC. */
  start: string
}

/** Telemetry, and what one check must say of it. */
export interface Scenario {
  check: string
  what: string
  verdict: CheckResult['verdict']
  /** Met, unmet and untold, counted by hand. */
  counts: [number, number, number]
  /** Part of the first sample. */
  sample?: string
  rows?: Row[]
  load?(api: TestApi, place: Place): Promise<void>
}

let traces = 1
/** `web` calls `orders`, and that `stock`; of some of the chains a span in the middle is missing. */
export async function sendChains(api: TestApi, { namespace, start }: Place, chains: number, broken = 0): Promise<void> {
  const spans = Array.from({ length: chains }, (_, index): ShortSpan[] => {
    const of = { namespace, trace: traces++, at: Date.parse(start) + index * 1_000 }
    const chain: ShortSpan[] = [
      { ...of, id: 1, service: 'web', kind: 'server', route: '/buy' },
      { ...of, id: 2, parent: 1, service: 'web', kind: 'client' },
      { ...of, id: 3, parent: 2, service: 'orders', kind: 'server', route: '/orders' },
      { ...of, id: 4, parent: 3, service: 'orders', kind: 'client' },
      { ...of, id: 5, parent: 4, service: 'stock', kind: 'server', route: '/stock' },
    ]
    return index < broken ? chain.filter(({ id }) => id !== 2) : chain
  })
  await api.cinch.ingestRequest('otlp-traces', operator(), Buffer.from(spanLine(spans.flat())))
}

export async function declare(api: TestApi, { namespace }: Place, names: string[], category: string): Promise<void> {
  const objects = names.map((name) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels: category === '' ? {} : { category } },
    spec: { template: { metadata: { labels: { app: name } }, spec: { serviceAccountName: name } } },
  }))
  const body = objects.map((one) => JSON.stringify(one)).join('\n---\n')
  await api.cinch.ingestRequest('kubernetes-objects', operator(), Buffer.from(body))
}

/** As the analyzer counts hops along chains. */
export function usersAlong(met: number, unmet: number): Scenario['load'] & {} {
  return async ({ store }, { namespace, start }) =>
    await run(
      store.jobs,
      `INSERT INTO chain_expectation (minute, kind, caller, callee, met, unmet, version)
       SELECT {start:DateTime('UTC')}, 'user_lost', {namespace:String} || '/web', {namespace:String} || '/orders', {met:UInt64}, {unmet:UInt64}, 1`,
      { namespace, start: start.replace('T', ' ').slice(0, 19), met, unmet },
    )
}

/** As the analyzer counts what the callee's proxy told. */
export function counters(requests: number): Scenario['load'] & {} {
  return async ({ store }, { namespace, start }) =>
    await run(
      store.jobs,
      `INSERT INTO metric_hour (hour, sender, target, series, metric, measure, reporter, destination_namespace, destination_workload, destination_service,
         destination_kind, source_evidence, protocol, mtls, requests, first_seen, last_seen, version)
       SELECT {start:DateTime('UTC')}, 'operator', 1, 1, 'istio_requests_total', 'requests', 'destination', {namespace:String}, 'orders',
         'orders.' || {namespace:String}, 'internal', 'claimed', 'http', 'yes', {requests:UInt64}, {start:DateTime('UTC')}, {start:DateTime('UTC')},
         toUnixTimestamp64Milli(now64(3))`,
      { namespace, start: start.replace('T', ' ').slice(0, 19), requests },
    )
}

/** Changes of somebody within a session, and of somebody else who never signed in. */
export function changes(linked: number, unlinked: number): Scenario['load'] & {} {
  return async ({ store }, { namespace, start }) =>
    await run(
      store.jobs,
      `INSERT INTO directory_event (time, time_told, source_format, event_id, category, action, outcome, actor_id, actor_type, actor_name, correlations)
       SELECT {start:DateTime('UTC')} + toIntervalSecond(10 * number), 1, 'okta', {namespace:String} || toString(number),
         if(number = 0, 'sign_in', 'change'), if(number = 0, 'user.session.start', 'user.update'), 'success', actor, 'user', actor || '@example.com',
         if(number <= {linked:UInt64}, [('session', {namespace:String})], [])
       FROM (SELECT number, if(number <= {linked:UInt64}, 'kim', 'eve') AS actor FROM numbers({all:UInt64}))`,
      { namespace, start: start.replace('T', ' ').slice(0, 19), linked, all: 1 + linked + unlinked },
    )
}
