import { statSync } from 'node:fs'
import { join } from 'node:path'
import { query, run, type Store } from '../../../services/store/store.ts'
import { type Bench, type Figure, format, median, type Part } from '../bench.ts'
import { writeLines } from '../lines.ts'
import { WAYS } from '../ways.ts'

/** Access log lines into the store: Cinch's ways beside the engine alone, and beside what most collectors do. */
export const lines: Part = {
  name: 'lines',
  run: async (bench) => {
    const file = join(bench.dir, 'access.log')
    writeLines(file, bench.lines)
    const { rates, stored } = await load(bench, file)
    const [bare = 0, parse = 0, ours = 0, spool = 0] = rates
    return [
      { what: 'line length', value: statSync(file).size / bench.lines, unit: 'bytes' },
      ...WAYS.map(({ name }, index) => ({ what: name, value: rates[index] ?? Number.NaN, unit: 'lines/s' })),
      { what: 'from a file / bare load', value: ours / bare, unit: '', asked: 'at least 0.60' },
      { what: 'from a file / JSON.parse way', value: ours / parse, unit: '', asked: 'at least 6' },
      { what: '  bare load / JSON.parse way: no way through this engine has more', value: bare / parse, unit: '' },
      { what: 'through the spool / bare load', value: spool / bare, unit: '' },
      ...stored,
    ]
  },
}

/**
 * @returns lines per second by way, and what the lines take in the store
 * @throws Error when the ways do not store the same facts
 */
async function load({ lines, turns, withStore }: Bench, file: string): Promise<{ rates: number[]; stored: Figure[] }> {
  const rates = WAYS.map((): number[] => [])
  let stored: Figure[] = []
  const digests = new Set<string>()
  for (let turn = 0; turn < turns; turn++) {
    for (const [index, way] of WAYS.entries()) {
      const seconds = await withStore(async (store) => {
        const started = performance.now()
        await way.load(store, file)
        const elapsed = (performance.now() - started) / 1000
        if (turn === 0 && way.storesFacts) digests.add(await digestOf(store))
        if (turn === 0 && way.name === 'Cinch, from a file') stored = await storedBytes(store, lines)
        return elapsed
      })
      rates[index]?.push(lines / seconds)
      console.log(`${way.name}: ${format(lines / seconds)} lines/s`)
    }
  }
  if (digests.size !== 1) throw new Error(`the ways store different facts: ${[...digests].join(', ')}`)
  return { rates: rates.map(median), stored }
}

/** Of all facts in any order, but for the day of loading and the ids that rows in JSON cannot carry. */
async function digestOf(store: Store): Promise<string> {
  const [row] = await query<{ rows: number; digest: string }>(
    store.reads,
    'SELECT count() AS rows, toString(sum(cityHash64(* EXCEPT (loaded, trace_id, span_id, parent_span_id)))) AS digest FROM request',
  )
  return `${row?.rows} rows, ${row?.digest}`
}

async function storedBytes(store: Store, lines: number): Promise<Figure[]> {
  // As merging leaves them in the end: small parts have all columns in one file, which tells nothing of each.
  await run(store.jobs, 'ALTER TABLE request MODIFY SETTING min_bytes_for_wide_part = 0')
  await run(store.jobs, 'OPTIMIZE TABLE request FINAL')
  const columns = await query<{ column: string; bytes: number }>(
    store.reads,
    "SELECT column, sum(column_data_compressed_bytes) AS bytes FROM system.parts_columns WHERE database = currentDatabase() AND table = 'request' AND active GROUP BY column ORDER BY bytes DESC",
  )
  const perRequest = columns.map(({ column, bytes }) => ({ column, bytes: bytes / lines }))
  const figures: Figure[] = [
    {
      what: 'stored bytes per request, all columns',
      value: perRequest.reduce((total, { bytes }) => total + bytes, 0),
      unit: 'bytes',
      asked: 'at most 45 for 14 columns',
    },
    ...perRequest.slice(0, 14).map(({ column, bytes }) => ({ what: `  ${column}`, value: bytes, unit: 'bytes' })),
  ]
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
  return figures
}
