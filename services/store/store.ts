import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client'
import { CinchError } from '../model/errors.ts'
import { embeddedClients } from './embedded.ts'
import type { StoreLocation } from './location.ts'
import { readHolder, takeLock } from './lock.ts'
import { repairDeduplication } from './repair.ts'

/** Values bound to `{name:Type}` in a query; never spliced into its text. */
export type Params = Record<string, string | number | boolean | string[] | number[]>

/**
 * The open store. Ingest, jobs and reads have connections of their own, because statements on one connection wait for
 * each other: with one for all, `SELECT 1` took 132 ms beside an ingest, with three 5 ms.
 */
export interface Store {
  readonly location: StoreLocation
  /** Directory of the spool and of the admin token: the embedded store's own, `./.cinch/server` beside a server. */
  readonly dataDir: string
  /** One connection per lane: so many inserts run side by side. */
  readonly ingest: ClickHouseClient[]
  readonly jobs: ClickHouseClient
  readonly reads: ClickHouseClient
  /** Tells other processes where the API of this one is (embedded store only). */
  announce(url: string): void
  close(): Promise<void>
}

/** Reads of the embedded store that run side by side: an answer of several statements keeps the cores busy, and no slow one holds up all. */
const READ_LANES = 4

/** Two lanes fill the two cores that Cinch is measured on; each insert runs on one thread, so its blocks keep their order. */
const INGEST_LANES = 2

/** Bounds on a statement by its purpose; written into the statement, since a setting given to the embedded engine stays set. */
export const LIMITS = {
  reads: 'max_execution_time = 60, max_result_rows = 1000000, max_memory_usage = 4000000000',
  // One thread: of many groups with few rows each, merging what two threads grouped costs more than the second one gains, and the other
  // core is left to what runs beside it.
  narrow: 'max_execution_time = 60, max_result_rows = 1000000, max_memory_usage = 4000000000, max_threads = 1',
  // Reads in the order of a table's key, and groups as it goes: nothing is gathered for what is alike.
  ordered:
    'max_execution_time = 60, max_result_rows = 1000000, max_memory_usage = 4000000000, optimize_aggregation_in_order = 1',
  jobs: 'max_threads = 1, os_threads_nice_value_query = 10, max_memory_usage = 8000000000',
  // The mappings are long, and rewriting them costs more than it saves: without these passes a statement is analysed in
  // a third of the time, which is most of what a small batch costs.
  ingest:
    'max_threads = 1, max_insert_threads = 1, input_format_parallel_parsing = 0, async_insert = 0, max_partitions_per_insert_block = 0, max_memory_usage = 8000000000, optimize_and_compare_chain = 0, optimize_extract_common_expressions = 0, query_plan_enable_optimizations = 0, max_block_size = 16384',
} as const

/**
 * Opens the store. The embedded one is taken for this process, mended after a kill, and created where it is missing.
 * @throws CinchError `store_busy` (another process holds it), `engine_missing` (chdb is not installed), `store_unavailable`
 */
export async function openStore(location: StoreLocation): Promise<Store> {
  return location.kind === 'chdb' ? openEmbedded(location) : await openServer(location)
}

function openEmbedded(location: StoreLocation & { kind: 'chdb' }): Store {
  const data = join(location.dir, 'data')
  const open = embeddedClients(data)
  const lock = takeLock(location.dir)
  mkdirSync(data, { recursive: true, mode: 0o700 })
  repairDeduplication(data)
  const clients = { ingest: Array.from({ length: INGEST_LANES }, open), jobs: open(), reads: open(READ_LANES) }
  return {
    location,
    dataDir: location.dir,
    ...clients,
    announce: lock.announce,
    close: async () => {
      await closeAll(clients)
      lock.release()
    },
  }
}

async function openServer(location: StoreLocation & { kind: 'http' }): Promise<Store> {
  // Errors are thrown, and told once by whoever meets them; the client's own log would tell them again.
  const open = () =>
    createClient({ url: location.url, request_timeout: 600_000, log: { level: ClickHouseLogLevel.OFF } })
  const clients = { ingest: Array.from({ length: INGEST_LANES }, open), jobs: open(), reads: open() }
  const dataDir = join(process.cwd(), '.cinch', 'server')
  try {
    await query(clients.reads, 'SELECT 1')
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    return { location, dataDir, ...clients, announce: () => {}, close: () => closeAll(clients) }
  } catch (error) {
    await closeAll(clients)
    throw error instanceof CinchError ? error : unavailable(location.url, error)
  }
}

function unavailable(url: string, error: unknown): CinchError {
  const { protocol, host } = new URL(url)
  const why = error instanceof Error ? error.message.split('\n')[0]?.slice(0, 200) : String(error)
  return new CinchError(
    'store_unavailable',
    `ClickHouse at ${protocol}//${host} does not answer as it should: ${why}`,
    'check that the server runs and that the URL names its HTTP port, user and database',
    { cause: error },
  )
}

async function closeAll(clients: { ingest: ClickHouseClient[]; jobs: ClickHouseClient; reads: ClickHouseClient }) {
  for (const client of [...clients.ingest, clients.jobs, clients.reads]) await client.close()
}

/** Rows of a read, as objects. 64-bit numbers come as numbers: counts stay far below 2^53. */
export async function query<Row>(
  client: ClickHouseClient,
  sql: string,
  params: Params = {},
  limits: keyof typeof LIMITS = 'reads',
): Promise<Row[]> {
  const result = await client.query({
    query: `${sql}\nSETTINGS ${LIMITS[limits]}, output_format_json_quote_64bit_integers = 0`,
    format: 'JSONEachRow',
    query_params: params,
  })
  return await result.json<Row>()
}

/** Columns of a read: of many narrow rows a third of the time that objects take. */
export async function queryColumns<Row>(
  client: ClickHouseClient,
  sql: string,
  params: Params = {},
  limits: keyof typeof LIMITS = 'reads',
): Promise<{ [Column in keyof Row]: Row[Column][] }> {
  const result = await client.query({
    query: `${sql}\nSETTINGS ${LIMITS[limits]}, output_format_json_quote_64bit_integers = 0`,
    format: 'JSONColumnsWithMetadata',
    query_params: params,
  })
  const { meta, data } = (await result.json()) as unknown as {
    meta: { name: string }[]
    data: Record<string, unknown[]>
  }
  // Without rows there are no columns in the answer.
  return Object.fromEntries(meta.map(({ name }) => [name, data[name] ?? []])) as never
}

/** Runs a statement that gives no rows. */
export async function run(client: ClickHouseClient, sql: string, params: Params = {}): Promise<void> {
  await client.command({ query: sql, query_params: params })
}

/** A statement holds 256 KiB, its bound texts escaped. */
const INSERT_BYTES_MAX = 96 << 10

/**
 * Inserts rows as objects, as a bound text: data behind an INSERT the embedded engine mixes with the process's standard input, which is
 * the telemetry in `cinch ingest -`.
 * @param structure names and types of the columns, as ClickHouse writes them
 */
export async function insertRows(
  client: ClickHouseClient,
  table: string,
  structure: string,
  rows: readonly object[],
): Promise<void> {
  const columns = structure
    .replace(/\(([^()]|\([^()]*\))*\)/g, '')
    .split(', ')
    .map((column) => column.split(' ')[0])
  const insert = async (lines: string[]) =>
    await run(
      client,
      `INSERT INTO ${table} (${columns.join(', ')}) SELECT * FROM format(JSONEachRow, '${structure}', {rows:String})`,
      { rows: lines.join('\n') },
    )
  let lines: string[] = []
  let bytes = 0
  for (const row of rows) {
    const line = JSON.stringify(row)
    if (bytes + line.length > INSERT_BYTES_MAX && lines.length > 0) {
      await insert(lines)
      lines = []
      bytes = 0
    }
    lines.push(line)
    bytes += line.length
  }
  if (lines.length > 0) await insert(lines)
}

export { readHolder }
