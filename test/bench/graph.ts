import { openCinch } from '../../services/api/cinch.ts'
import type { EdgeRow, Window } from '../../services/store/queries/rollups.ts'
import { run, type Store } from '../../services/store/store.ts'
import { EDGES } from './lines.ts'

export const DAY: Window = { since: '2026-11-20T00:00:00Z', until: '2026-11-21T00:00:00Z' }
const REPEATS = 15
const INSERT_ROWS = 1_000_000

/** Times the graph of a day over the same edges, for any number of requests; what is measured is checked to be the whole graph. */
export async function measureGraph(store: Store, requests: number, rows: (window: Window) => Promise<EdgeRow[]>) {
  await insertDay(store, requests)
  const timed = async (work: () => Promise<unknown>) => {
    const started = performance.now()
    await work()
    return performance.now() - started
  }
  const first = await timed(() => rows(DAY))
  const times: number[] = []
  for (let repeat = 0; repeat < REPEATS; repeat++) times.push(await timed(() => rows(DAY)))
  const cinch = await openCinch(store)
  const answers: number[] = []
  for (let repeat = 0; repeat < REPEATS; repeat++) answers.push(await timed(() => cinch.edges(DAY)))
  const found = await rows(DAY)
  const total = found.reduce((sum, row) => sum + row.requests, 0)
  if (total !== requests) throw new Error(`the graph has ${total} requests instead of ${requests}`)
  return { edges: found.length, first, milliseconds: middle(times), answer: middle(answers) }
}

/** So many requests of one day. */
export async function insertDay(store: Store, requests: number): Promise<void> {
  for (let at = 0; at < requests; at += INSERT_ROWS)
    await insertRequests(store, at, Math.min(INSERT_ROWS, requests - at), requests)
}

const middle = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** Requests made by the engine itself, spread over the day and the edges: only the rollups that the views fill matter here. */
async function insertRequests(store: Store, from: number, count: number, all: number): Promise<void> {
  await run(
    store.jobs,
    `INSERT INTO request (time, sender, source_format, reporter, source_principal, source_evidence, source_namespace, destination_principal,
       destination_namespace, destination_service, service_port, workload_port, protocol, method, path, shape, status, mtls)
     SELECT
       toDateTime64('2026-11-20 00:00:00', 6, 'UTC') + toIntervalSecond(intDiv(number * 86400, {all:UInt64})) AS time, 'operator', 'istio-json', 'destination',
       concat('cluster.local/ns/ns', toString(edge % 10), '/sa/svc', toString(edge % 300)), 'verified', concat('ns', toString(edge % 10)),
       concat('cluster.local/ns/ns', toString(callee % 10), '/sa/svc', toString(callee)), concat('ns', toString(callee % 10)),
       concat('svc', toString(callee), '.ns', toString(callee % 10)), 80, 8080, 'http', if(cityHash64(number) % 10 < 7, 'GET', 'POST'),
       '', concat('/api/v1/resource', toString(edge % 7), '/{int}'), 200, 'yes'
     FROM (SELECT number, cityHash64(number, 1) % ${EDGES} AS edge, intDiv(edge, 8) AS callee FROM numbers({from:UInt64}, {count:UInt64}))`,
    { from, count, all },
  )
}
