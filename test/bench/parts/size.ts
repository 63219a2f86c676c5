import { NODES_MAX } from '../../../services/analyzer/graph/places.ts'
import type { View } from '../../../services/analyzer/graph/screen.ts'
import { createGraphs, type Graphs } from '../../../services/api/graphs.ts'
import { query, type Store } from '../../../services/store/store.ts'
import { type Figure, format, median, type Part } from '../bench.ts'
import { DAY, FIRST_WEEK, makeTelemetry, SECOND_WEEK, type Size, usageRows } from '../size.ts'

const FULL: Size = { services: 5_000, edges: 60_000, operations: 1_000_000, hours: 20 }
const REPEATS = 7

/** A graph of 5,000 services, and how its answers grow with it. */
export const size: Part = {
  name: 'size',
  run: async ({ quick, withStore }) => {
    const large = scaled(FULL, quick ? 10 : 1)
    const [small, big] = [scaled(large, 10), large]
    const before = await withStore((store) => measure(store, small))
    const found = await withStore((store) => measure(store, big))
    const growth = (which: keyof Times) => found.times[which] / before.times[which]
    const rows = `${format(usageRows(big))} rows of operation and hour`
    return [
      {
        what: `${big.services} services, ${format(big.edges)} edges, ${rows}: grouped graph of a day`,
        value: found.times.day,
        unit: 'ms',
        asked: 'at most 300',
      },
      { what: '  of the last 24 hours, across midnight', value: found.times.hours, unit: 'ms', asked: 'at most 300' },
      { what: "  a service's neighbourhood", value: found.times.service, unit: 'ms', asked: 'at most 50' },
      { what: '  the neighbourhood of the callee with most callers', value: found.times.hub, unit: 'ms' },
      { what: '  comparison of two weeks', value: found.times.weeks, unit: 'ms', asked: 'at most 1000' },
      ...(['day', 'service', 'weeks'] as const).map((which) => ({
        what: `  ten times the rows: ${which}`,
        value: growth(which),
        unit: 'times',
        asked: 'at most 12',
      })),
      { what: '  the first graph of a process, which names all edges', value: found.first, unit: 'ms' },
      { what: '  memory of the process', value: found.memory, unit: 'MB' },
      ...found.bytes.map(({ table, bytes }) => ({ what: `  bytes a row of ${table}`, value: bytes, unit: 'B' })),
    ] satisfies Figure[]
  },
}

interface Times {
  day: number
  hours: number
  service: number
  hub: number
  weeks: number
}

const scaled = ({ services, edges, operations, hours }: Size, by: number): Size => ({
  services: services / by,
  edges: edges / by,
  operations: operations / by,
  hours,
})

async function measure(store: Store, made: Size) {
  await makeTelemetry(store, made)
  const graphs = createGraphs(store)
  const whole: View = { limit: NODES_MAX, by: 'namespace', expand: new Set(), depth: 1, hide: [] }
  const started = performance.now()
  await graphs.screen(DAY, whole)
  const first = performance.now() - started
  const around = (service: number): View => ({ ...whole, focus: `ns${service % 100}/svc${service}` })
  const acrossMidnight = { since: '2026-11-12T05:00:00Z', until: '2026-11-13T05:00:00Z' }
  await check(graphs, made)
  const times: Times = {
    day: await timed(() => graphs.screen(DAY, whole)),
    hours: await timed(() => graphs.screen(acrossMidnight, whole)),
    service: await timed(() => graphs.screen(DAY, around(made.services / 2))),
    hub: await timed(() => graphs.screen(DAY, around(0))),
    weeks: await timed(() => graphs.compare(SECOND_WEEK, FIRST_WEEK, 'namespace')),
  }
  console.log(`${format(usageRows(made))} rows: ${JSON.stringify(times)}`)
  return { times, first, memory: process.memoryUsage().rss / 1e6, bytes: await bytesPerRow(store) }
}

/** What is measured is the whole: all nodes and edges are in it, and the comparison finds what was made of one week only. */
async function check(graphs: Graphs, made: Size): Promise<void> {
  const both = { since: FIRST_WEEK.since, until: SECOND_WEEK.until }
  const { grouping } = await graphs.screen(both, {
    limit: NODES_MAX,
    by: 'namespace',
    expand: new Set(),
    depth: 1,
    hide: [],
  })
  if (grouping.total_nodes !== made.services || grouping.total_edges !== made.edges)
    throw new Error(
      `${grouping.total_nodes} nodes and ${grouping.total_edges} edges instead of ${made.services} and ${made.edges}`,
    )
  const { totals } = await graphs.compare(SECOND_WEEK, FIRST_WEEK, 'namespace')
  const least = made.edges / 200
  if (
    totals.edges.new < least * 0.7 ||
    totals.edges.gone < least * 0.7 ||
    totals.operations.new < made.operations / 150
  )
    throw new Error(`the comparison finds too little: ${JSON.stringify(totals)}`)
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const started = performance.now()
    await work()
    times.push(performance.now() - started)
  }
  return median(times)
}

async function bytesPerRow(store: Store): Promise<{ table: string; bytes: number }[]> {
  return await query(
    store.reads,
    `SELECT table, sum(bytes_on_disk) / sum(rows) AS bytes FROM system.parts
     WHERE active AND table IN ('operation_usage', 'edge_usage_hour', 'edge_usage_day', 'operation_week', 'edge') GROUP BY table ORDER BY table`,
  )
}
