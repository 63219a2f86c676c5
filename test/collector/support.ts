import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Committer, createCommitter } from '../../services/collector/commit.ts'
import { type IngestResult, ingest, ingestRequest } from '../../services/collector/ingest.ts'
import { openInput } from '../../services/collector/input/input.ts'
import { type Origin, operator } from '../../services/collector/origin.ts'
import { findSource } from '../../services/collector/sources/index.ts'
import { migrate } from '../../services/store/migrate.ts'
import { openStore, type Params, query, type Store } from '../../services/store/store.ts'
import { newStore } from '../support/new-store.ts'

/** An embedded store of its own in a temporary directory: the engine allows one process per directory. */
export interface TestStore {
  dir: string
  store: Store
  committer: Committer
  /** Writes `bytes` to a new file and ingests it; every call of another `cluster` is another origin. */
  file(source: string, bytes: Buffer | string, cluster: string): Promise<IngestResult>
  path(source: string, path: string, cluster: string): Promise<IngestResult>
  /** As one request, with any origin. */
  request(source: string, bytes: Buffer | string, origin: Partial<Origin>): Promise<IngestResult>
  rows<Row = Record<string, unknown>>(sql: string, params?: Params): Promise<Row[]>
  /** What the spool holds: nothing, once everything is committed. */
  spooled(): string[]
  close(): Promise<void>
}

/** Files, not directories, below `root`. */
export function filesBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
}

export async function openTestStore(name: string): Promise<TestStore> {
  const dir = mkdtempSync(join(tmpdir(), `cinch-${name}-`))
  mkdirSync(join(dir, 'files'))
  const store = await openStore({ kind: 'chdb', dir: newStore(join(dir, 'store')) })
  await migrate(store)
  const committer = createCommitter(store)
  let files = 0
  const path = async (source: string, file: string, cluster: string) =>
    ingest(store, committer, findSource(source), operator(cluster), await openInput(file))
  return {
    dir,
    store,
    committer,
    path,
    file: (source, bytes, cluster) => {
      const file = join(dir, 'files', String(files++))
      writeFileSync(file, bytes)
      return path(source, file, cluster)
    },
    request: (source, bytes, origin) =>
      ingestRequest(store, committer, findSource(source), { ...operator(), ...origin }, Buffer.from(bytes)),
    rows: (sql, params = {}) => query(store.reads, sql, params),
    spooled: () => filesBelow(join(dir, 'store', 'spool')),
    close: async () => {
      await store.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
