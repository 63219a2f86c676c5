import { createReadStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClickHouseClient } from '@clickhouse/client'
import { batchCounts, type Counts } from '../store/queries/batches.ts'
import { type FilePosition, recordPosition } from '../store/queries/files.ts'
import { rejectChunk } from '../store/queries/rejects.ts'
import { openSpool, type Spool, type SpoolEntry } from '../store/spool.ts'
import { run, type Store } from '../store/store.ts'
import { createLanes } from './lanes.ts'
import { type Origin, originParams } from './origin.ts'
import { halves } from './protobuf.ts'
import { findSource } from './sources/index.ts'
import { type Framing, statementsFor } from './statements.ts'

/** What a spooled chunk is: all that is needed to insert it again after a crash, under the same token. */
export interface Note {
  source: string
  framing: Framing
  origin: Origin
  /** Deduplication token: what makes two chunks the same chunk. Its batch is counted under the part before `#`. */
  token: string
  /** Lines that are not empty; when fewer are accepted or rejected, the chunk goes the longer way as well. */
  lines: number
  /** How far the chunk reaches in which file, for chunks of files. */
  position?: FilePosition
  /** True when the chunk ends within a line or message: where nothing of it could be read, its file is read from there again. */
  torn?: boolean
}

/** Commits chunks: spool, insert, record, forget. */
export interface Committer {
  /**
   * Stores one chunk; resolves when it is in the store. Chunks go side by side on the store's lanes, and are spooled in
   * the order of the calls.
   * @param sync makes the chunk survive a loss of power before it is inserted; not needed where the sender keeps it
   */
  commit(chunk: Uint8Array, note: Note, sync: boolean): Promise<Counts>
  /** Inserts what earlier processes left in the spool. What still fails stays there, and stops nothing else. */
  recover(): Promise<Recovery>
}

export interface Recovery {
  inserted: number
  /** Why chunks could not be inserted, one message each. */
  failed: string[]
}

export function createCommitter(store: Store): Committer {
  const spool: Spool<Note> = openSpool(join(store.dataDir, 'spool'), store.location.kind === 'chdb')
  const lanes = createLanes(store.ingest)
  const insertEntry = (client: ClickHouseClient, entry: SpoolEntry<Note>) =>
    insertChunk({ store, spool, client }, entry)
  return {
    commit: (chunk, note, sync) => {
      const entry = spool.add(chunk, note, sync)
      return lanes((client) => insertEntry(client, entry))
    },
    recover: async () => {
      const recovery: Recovery = { inserted: 0, failed: [] }
      for (const entry of spool.pending()) {
        await lanes((client) => insertEntry(client, entry)).then(
          () => recovery.inserted++,
          (error: unknown) => recovery.failed.push(error instanceof Error ? error.message : String(error)),
        )
      }
      return recovery
    },
  }
}

interface Context {
  store: Store
  spool: Spool<Note>
  client: ClickHouseClient
}

const batchOf = (token: string) => token.split('#')[0] ?? token

async function insertChunk(context: Context, entry: SpoolEntry<Note>): Promise<Counts> {
  const { store, client } = context
  const { note } = entry
  const source = findSource(note.source)
  const { plain, wrapped } = statementsFor(source, note.framing, store.location.kind === 'chdb' ? 'file' : 'input')
  const batch = batchOf(note.token)
  try {
    await insert(context, entry, plain, note.token, batch)
  } catch (error) {
    if (note.framing !== 'protobuf' || !isMalformed(error)) throw error
    await insertHalves(context, entry, error)
  }
  let counts = await batchCounts(client, batch)
  if (wrapped && counts.accepted + counts.rejected < note.lines) {
    // Counted as a batch of its own: a kill may come after its lines are counted and before the last rollup has them, and
    // the chunk must go this way again then.
    await insert(context, entry, wrapped, `${note.token}#wrapped`, `${batch}#wrapped`)
    counts = plus(counts, await batchCounts(client, `${batch}#wrapped`))
  }
  if (note.position && !(note.torn && counts.accepted === 0))
    await recordPosition(client, note.source, note.origin.cluster, note.position)
  entry.done()
  return counts
}

const plus = (a: Counts, b: Counts): Counts => ({
  accepted: a.accepted + b.accepted,
  rejected: a.rejected + b.rejected,
})

async function insert(
  { store, client }: Context,
  entry: SpoolEntry<Note>,
  statement: string,
  token: string,
  batch: string,
): Promise<void> {
  const params = { ...originParams(entry.note.origin), batch, token }
  if (store.location.kind === 'chdb') {
    await run(client, statement, { ...params, chunk: entry.path })
    return
  }
  const answer = await client.exec({ query: statement, query_params: params, values: createReadStream(entry.path) })
  answer.stream.resume()
}

/** A message that is no valid OTLP fails its whole insert: halves are tried until it stands alone, and is rejected. */
async function insertHalves(context: Context, entry: SpoolEntry<Note>, error: unknown): Promise<void> {
  const { note } = entry
  const bytes = readFileSync(entry.path)
  const parts = halves(bytes)
  if (!parts) {
    await rejectChunk(context.client, {
      ...originParams(note.origin),
      batch: batchOf(note.token),
      token: `${note.token}#rejected`,
      reason: 'malformed_protobuf',
      line: `${bytes.length} bytes: ${error instanceof Error ? error.message.slice(0, 200) : ''}`,
    })
    return
  }
  for (const [index, part] of parts.entries()) {
    const { position: _, ...rest } = note
    await insertChunk(context, context.spool.add(part, { ...rest, token: `${note.token}#${index}` }, false))
  }
}

/** True when the engine refused the bytes themselves, and not the statement or the moment. */
function isMalformed(error: unknown): boolean {
  return (
    error instanceof Error &&
    /PROTOBUF|CANNOT_PARSE|CANNOT_READ|INCORRECT_DATA|ATTEMPT_TO_READ_AFTER_EOF|UNEXPECTED_END/.test(
      `${'type' in error ? error.type : ''} ${error.message}`,
    )
  )
}
