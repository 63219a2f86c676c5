import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { openCinch } from '../../services/api/cinch.ts'
import { openInput } from '../../services/collector/input/input.ts'
import { migrate } from '../../services/store/migrate.ts'
import { edgeRows } from '../../services/store/queries/rollups.ts'
import { openStore, query, run, type Store } from '../../services/store/store.ts'
import { measureGraph } from './graph.ts'
import { EDGES, writeLines } from './lines.ts'
import { spanRequests } from './spans.ts'
import { WAYS } from './ways.ts'

/**
 * `npm run bench`: the figures of the design, as ratios in one run. Ways take turns, so that a machine whose speed drifts
 * is fair to all; a way's figure is the median of its turns. `--lines`, `--turns` and `--quick` make it smaller.
 */

const quick = process.argv.includes('--quick')
const option = (name: string, otherwise: number) =>
  Number(process.argv[process.argv.indexOf(`--${name}`) + 1] ?? otherwise) || otherwise
const LINES = option('lines', quick ? 60_000 : 500_000)
const TURNS = option('turns', quick ? 1 : 3)
const SPANS = quick ? 50_000 : 500_000
const GRAPH_REQUESTS = quick ? [100_000, 1_000_000] : [1_000_000, 10_000_000]

interface Figure {
  what: string
  value: number
  unit: string
  asked?: string
}

const dir = mkdtempSync(join(tmpdir(), 'cinch-bench-'))
const figures: Figure[] = []
try {
  await benchLines()
  await benchSpans()
  await benchGraph()
} finally {
  rmSync(dir, { recursive: true, force: true })
}
console.log(`\n${cpus()[0]?.model}, ${cpus().length} processors; ${TURNS} turns, medians\n`)
for (const { what, value, unit, asked } of figures)
  console.log(`${what.padEnd(66)} ${format(value).padStart(12)} ${unit}${asked ? `   (asked: ${asked})` : ''}`)
const out = process.env['CINCH_BENCH_OUT'] ?? 'bench.json'
writeFileSync(
  out,
  `${JSON.stringify({ machine: { processor: cpus()[0]?.model, processors: cpus().length }, lines: LINES, turns: TURNS, figures }, null, 2)}\n`,
)
console.log(`\nwritten to ${out}`)

function format(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2)
}

async function withStore<T>(work: (store: Store) => Promise<T>): Promise<T> {
  const path = mkdtempSync(join(dir, 'store-'))
  const store = await openStore({ kind: 'chdb', dir: path })
  try {
    await migrate(store)
    return await work(store)
  } finally {
    await store.close()
    rmSync(path, { recursive: true, force: true })
  }
}

async function benchLines(): Promise<void> {
  const file = join(dir, 'access.log')
  writeLines(file, LINES)
  const rates = new Map(WAYS.map((way) => [way.name, [] as number[]]))
  for (let turn = 0; turn < TURNS; turn++) {
    for (const way of WAYS) {
      const seconds = await withStore(async (store) => {
        const started = performance.now()
        await way.load(store, file)
        const elapsed = (performance.now() - started) / 1000
        if (turn === 0 && way.name === 'Cinch, from a file') await storedBytes(store)
        return elapsed
      })
      rates.get(way.name)?.push(LINES / seconds)
      console.log(`${way.name}: ${format(LINES / seconds)} lines/s`)
    }
  }
  const [bare = 0, parse = 0, ours = 0, spool = 0] = WAYS.map((way) => median(rates.get(way.name) ?? []))
  figures.unshift(
    { what: `line length`, value: statSync(file).size / LINES, unit: 'bytes' },
    ...WAYS.map((way) => ({ what: way.name, value: median(rates.get(way.name) ?? []), unit: 'lines/s' })),
    { what: 'from a file / bare load', value: ours / bare, unit: '', asked: 'at least 0.60' },
    { what: 'from a file / JSON.parse way', value: ours / parse, unit: '', asked: 'at least 6' },
    { what: 'through the spool / bare load', value: spool / bare, unit: '' },
  )
}

async function storedBytes(store: Store): Promise<void> {
  await run(store.jobs, 'OPTIMIZE TABLE request FINAL')
  const columns = await query<{ column: string; bytes: number }>(
    store.reads,
    "SELECT column, sum(column_data_compressed_bytes) AS bytes FROM system.parts_columns WHERE database = currentDatabase() AND table = 'request' AND active GROUP BY column ORDER BY bytes DESC",
  )
  const perRequest = columns.map(({ column, bytes }) => ({ column, bytes: bytes / LINES }))
  figures.push({
    what: 'stored bytes per request, all columns',
    value: perRequest.reduce((total, { bytes }) => total + bytes, 0),
    unit: 'bytes',
    asked: 'at most 45 for 14 columns',
  })
  for (const { column, bytes } of perRequest.slice(0, 14))
    figures.push({ what: `  ${column}`, value: bytes, unit: 'bytes' })
  for (const table of ['operation_usage', 'edge_usage_hour']) {
    const [row] = await query<{ rows: number; bytes: number }>(
      store.reads,
      'SELECT sum(p.rows) AS rows, sum(p.data_compressed_bytes) AS bytes FROM system.parts AS p WHERE table = {table:String} AND active',
      { table },
    )
    figures.push(
      { what: `  ${table}: rows`, value: row?.rows ?? 0, unit: '' },
      { what: `  ${table}: bytes per row`, value: (row?.bytes ?? 0) / (row?.rows || 1), unit: 'bytes' },
    )
  }
}

async function benchSpans(): Promise<void> {
  const bytes = spanRequests(SPANS)
  const file = join(dir, 'spans.pb')
  writeFileSync(file, bytes)
  const rates: number[] = []
  for (let turn = 0; turn < TURNS; turn++) {
    const seconds = await withStore(async (store) => {
      const cinch = await openCinch(store)
      const started = performance.now()
      const result = await cinch.ingest('otlp-traces', '', await openInput(file))
      if (result.accepted !== SPANS) throw new Error(`${result.accepted} of ${SPANS} spans were stored`)
      return (performance.now() - started) / 1000
    })
    rates.push(SPANS / seconds)
    console.log(`OTLP protobuf: ${format(SPANS / seconds)} spans/s`)
  }
  figures.push({
    what: `OTLP protobuf from a file (${Math.round(bytes.length / SPANS)} bytes a span), stored and paired`,
    value: median(rates),
    unit: 'spans/s',
  })
}

async function benchGraph(): Promise<void> {
  const times: number[] = []
  for (const requests of GRAPH_REQUESTS) {
    const found = await withStore(
      async (store) => await measureGraph(store, requests, (window) => edgeRows(store.reads, window)),
    )
    if (found.edges !== EDGES) throw new Error(`${found.edges} edges instead of ${EDGES}`)
    times.push(found.milliseconds)
    console.log(
      `graph of a day of ${format(requests)} requests: ${format(found.milliseconds)} ms (first ${format(found.first)} ms, whole answer ${format(found.answer)} ms)`,
    )
    figures.push({
      what: `graph of a day, ${EDGES} edges, ${format(requests)} requests: query`,
      value: found.milliseconds,
      unit: 'ms',
      asked: 'at most 50',
    })
    figures.push({ what: '  with names, as the API answers', value: found.answer, unit: 'ms' })
  }
  figures.push({
    what: 'ten times the requests',
    value: (times[1] ?? 0) / (times[0] ?? 1),
    unit: 'times',
    asked: 'at most 1.2',
  })
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
