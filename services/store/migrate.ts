import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CinchError } from '../model/errors.ts'
import { packageRoot } from './root.ts'
import { query, run, type Store } from './store.ts'

export interface Migration {
  version: number
  name: string
  sql: string
  /** Of the statements: comments may be mended after a migration was applied. */
  checksum: string
}

/** How the tables are made: plain on one node, replicated on a named cluster (`CINCH_CLUSTER`). */
export interface Topology {
  cluster?: string
}

/** Batches that a table remembers: a repeated one is recognised while fewer than these came after it. */
const DEDUPLICATION_WINDOW = 10_000

/** The migrations that ship with this version, in order. */
export function readMigrations(dir = join(packageRoot(), 'migrations')): Migration[] {
  return readdirSync(dir)
    .filter((file) => /^\d{4}_[a-z_]+\.sql$/.test(file))
    .sort()
    .map((file) => {
      const sql = readFileSync(join(dir, file), 'utf8')
      const checksum = createHash('sha256')
        .update(JSON.stringify(statements(sql)))
        .digest('hex')
      return { version: Number(file.slice(0, 4)), name: file.slice(5, -4), sql, checksum }
    })
}

/**
 * Brings the store up to date: forward only, each migration once. Statements are idempotent (`IF NOT EXISTS`), so two
 * processes that migrate at once, or one that was killed half-way, come to the same end.
 * @returns the versions that were applied now
 * @throws CinchError `migration_changed` (an applied migration was edited), `store_ahead` (a newer Cinch migrated it)
 */
export async function migrate(
  store: Store,
  migrations = readMigrations(),
  topology: Topology = readTopology(),
): Promise<number[]> {
  const make = (sql: string) => run(store.jobs, render(sql, topology))
  await make(
    `CREATE TABLE IF NOT EXISTS migration {on_cluster} (version UInt32, name String, checksum String, applied DateTime('UTC') DEFAULT now())
     ENGINE = {engine:ReplacingMergeTree} ORDER BY version`,
  )
  const applied = await query<{ version: number; checksum: string }>(
    store.jobs,
    'SELECT version, checksum FROM migration FINAL ORDER BY version',
    {},
    'jobs',
  )
  checkHistory(applied, migrations)
  const known = new Set(applied.map((row) => row.version))
  const pending = migrations.filter((migration) => !known.has(migration.version))
  for (const migration of pending) await apply(store, migration, make)
  return pending.map((migration) => migration.version)
}

async function apply(store: Store, migration: Migration, make: (sql: string) => Promise<void>): Promise<void> {
  const { version, name, checksum } = migration
  try {
    for (const statement of statements(migration.sql)) await make(statement)
  } catch (error) {
    // Another process may have been through it meanwhile, and through later ones that drop what this one reads.
    const applied = 'SELECT version FROM migration FINAL WHERE version = {version:UInt32}'
    if ((await query(store.jobs, applied, { version }, 'jobs')).length > 0) return
    throw error
  }
  await run(
    store.jobs,
    'INSERT INTO migration (version, name, checksum) SELECT {version:UInt32}, {name:String}, {checksum:String}',
    { version, name, checksum },
  )
}

function checkHistory(applied: { version: number; checksum: string }[], migrations: Migration[]): void {
  for (const row of applied) {
    const migration = migrations.find((candidate) => candidate.version === row.version)
    if (!migration) {
      throw new CinchError(
        'store_ahead',
        `the store has migration ${row.version}, which this version of Cinch does not know`,
        'use the newer Cinch that made it',
      )
    }
    if (migration.checksum !== row.checksum) {
      throw new CinchError(
        'migration_changed',
        `migration ${row.version} (${migration.name}) is not the one that was applied`,
        'restore the file, and make the change in a new migration',
      )
    }
  }
}

/** Splits a file into statements: each ends with `;` at the end of a line. Comments go. */
export function statements(sql: string): string[] {
  return sql
    .replace(/^\s*--.*$/gm, '')
    .split(/;[ \t]*(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
}

/** Fills in `{engine:X}`, `{on_cluster}` and `{dedup}` for the topology. */
export function render(sql: string, topology: Topology): string {
  const { cluster } = topology
  return sql
    .replace(/\{engine:(\w+)\}/g, (_, engine: string) => (cluster ? `Replicated${engine}` : engine))
    .replaceAll('{on_cluster}', cluster ? `ON CLUSTER \`${cluster}\`` : '')
    .replaceAll(
      '{dedup}',
      `${cluster ? 'replicated' : 'non_replicated'}_deduplication_window = ${DEDUPLICATION_WINDOW}, auto_statistics_types = ''`,
    )
}

function readTopology(): Topology {
  const cluster = process.env['CINCH_CLUSTER']
  if (!cluster) return {}
  if (!/^[\w-]+$/.test(cluster))
    throw new CinchError('bad_option', `CINCH_CLUSTER '${cluster}' is no cluster name`, 'use letters, digits, _ and -')
  return { cluster }
}
