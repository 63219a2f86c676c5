import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClickHouseClient } from '@clickhouse/client'
import { batchCounts, type Counts } from '../store/queries/batches.ts'
import { type FilePosition, recordPositions } from '../store/queries/files.ts'
import { type MessageReject, rejectChunk, rejectMessages } from '../store/queries/rejects.ts'
import { recordRequests, type StoredRequest, storedRequests } from '../store/queries/requests.ts'
import { openSpool, type Spool, type SpoolEntry } from '../store/spool.ts'
import { run, type Store } from '../store/store.ts'
import { type Outcome, outcomesOf, type Part } from './gather/parts.ts'
import { REMEMBERED_S } from './gather/requests.ts'
import { halves } from './input/protobuf.ts'
import { createLanes } from './lanes.ts'
import { type Observer, SILENT } from './observe.ts'
import { type Origin, originParams } from './origin.ts'
import { findSource } from './sources/index.ts'
import { type Framing, statementsFor } from './statements/statements.ts'

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
  /** The same for a chunk that was gathered from several files. */
  positions?: FilePosition[]
  /** The way in, for Cinch's own figures: see `observe.ts`. */
  receiver?: string
  /** True when the chunk ends within a line or message: where nothing of it could be read, its file is read from there again. */
  torn?: boolean
  /** The requests that the chunk consists of, for chunks that were gathered from several. */
  parts?: Part[]
  /** Messages that came with it and are no telemetry: recorded with it. The chunk may then have no bytes. */
  rejects?: MessageReject[]
}

/** Commits chunks: spool, insert, record, forget. */
export interface Committer {
  /**
   * Stores one chunk; resolves when it is in the store. Chunks go side by side on the store's lanes, and are spooled in
   * the order of the calls.
   * @param sync makes the chunk survive a loss of power before it is inserted; not needed where the sender keeps it
   */
  commit(chunk: Uint8Array, note: Note, sync: boolean): Promise<Counts>
  /**
   * The two halves of `commit`, for pieces that are a chunk one after another: spools them, and gives what inserts them, which
   * may be called again where it failed.
   */
  spool(pieces: Uint8Array[], note: Note, sync: boolean): Promise<() => Promise<Counts>>
  /** Writes the pieces to the spool as one chunk that survives a loss of power. Rejects where the disk refuses it. */
  stage(pieces: Uint8Array[], note: Note): Promise<SpoolEntry<Note>>
  /**
   * Stores a staged chunk and removes it from the spool. Rejects when the store does not take it now: the chunk stays, and
   * this may be called again.
   * @returns what became of each of the note's parts
   */
  finish(entry: SpoolEntry<Note>): Promise<Outcome[]>
  /** Chunks of gathered requests that earlier processes left, and that `recover` could not insert. */
  unfinished(): SpoolEntry<Note>[]
  /** Positions that those chunks reach which `recover` could not insert: they stay in the spool, and are not to be read again. */
  held(): FilePosition[]
  /** Inserts what earlier processes left in the spool. What still fails stays there, and stops nothing else. */
  recover(): Promise<Recovery>
}

export interface Recovery {
  inserted: number
  /** Why chunks could not be inserted, one message each. */
  failed: string[]
}

export function createCommitter(store: Store, observe: Observer = SILENT): Committer {
  const spool: Spool<Note> = openSpool(join(store.dataDir, 'spool'), store.location.kind === 'chdb')
  const lanes = createLanes(store.ingest)
  const insertEntry = (client: ClickHouseClient, entry: SpoolEntry<Note>) =>
    observed(observe, entry, () => insertChunk({ store, spool, client }, entry))
  const unfinished: SpoolEntry<Note>[] = []
  const held: FilePosition[] = []
  return {
    commit: (chunk, note, sync) => {
      const entry = spool.add(chunk, note, sync)
      return lanes((client) => insertEntry(client, entry))
    },
    spool: async (pieces, note, sync) => {
      const entry = await spool.put(pieces, note, sync)
      return () => lanes((client) => insertEntry(client, entry))
    },
    stage: (pieces, note) => spool.put(pieces, note, true),
    finish: async (entry) => (await lanes((client) => insertEntry(client, entry))).outcomes,
    unfinished: () => unfinished,
    held: () => held,
    recover: async () => {
      const recovery: Recovery = { inserted: 0, failed: [] }
      for (const entry of spool.pending()) {
        await lanes((client) => insertEntry(client, entry)).then(
          () => recovery.inserted++,
          (error: unknown) => {
            recovery.failed.push(error instanceof Error ? error.message : String(error))
            if (entry.note.parts) unfinished.push(entry)
            held.push(...(entry.note.positions ?? []))
          },
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

/** What a chunk came to, and each of its parts. */
interface Inserted extends Counts {
  outcomes: Outcome[]
}

async function insertChunk(context: Context, entry: SpoolEntry<Note>): Promise<Inserted> {
  const { store, client } = context
  const { note } = entry
  const elsewhere = await storedElsewhere(context, note.parts)
  if (elsewhere.size > 0) return await insertRest(context, entry, elsewhere)
  const source = findSource(note.source)
  const { plain, wrapped } = statementsFor(source, note.framing, store.location.kind === 'chdb' ? 'file' : 'input')
  const batch = batchOf(note.token)
  let malformed = false
  try {
    if (!note.rejects || entry.bytes > 0) await insert(context, entry, plain, note.token, batch)
  } catch (error) {
    if (note.framing !== 'protobuf' || !isMalformed(error)) throw error
    if (note.parts && note.parts.length > 1) return await insertPartsApart(context, entry)
    await insertHalves(context, entry, error)
    malformed = true
  }
  let counts = await batchCounts(client, batch)
  if (wrapped && counts.accepted + counts.rejected < note.lines) {
    // Counted as a batch of its own: a kill may come after its lines are counted and before the last rollup has them, and
    // the chunk must go this way again then.
    await insert(context, entry, wrapped, `${note.token}#wrapped`, `${batch}#wrapped`)
    counts = plus(counts, await batchCounts(client, `${batch}#wrapped`))
  }
  if (note.rejects) counts = plus(counts, await insertRejects(context, note, note.rejects))
  if (note.position && !(note.torn && counts.accepted === 0))
    await recordPositions(client, note.source, note.origin.cluster, [note.position])
  if (note.positions) await recordPositions(client, note.source, note.origin.cluster, note.positions)
  const outcomes = outcomesOf(note.parts ?? [], counts).map((outcome) =>
    malformed && outcome.accepted === 0 ? { ...outcome, malformed } : outcome,
  )
  if (note.parts) {
    const requests = note.parts.map((part, index) => ({ accepted: 0, rejected: 0, ...outcomes[index], id: part.id }))
    await recordRequests(client, `${note.token}#requests`, requests)
  }
  await entry.done()
  return { ...counts, outcomes }
}

/**
 * What is stored of these requests already. Asked where several processes write to a store: a sender that heard nothing from one of
 * them may repeat its request to another, which does not remember it.
 */
async function storedElsewhere({ store, client }: Context, parts: Part[] = []): Promise<Map<string, StoredRequest>> {
  if (store.location.kind === 'chdb' || parts.length === 0) return new Map()
  const ids = parts.map(({ id }) => id)
  const found = await storedRequests(client, ids, REMEMBERED_S)
  return new Map(found.map((request) => [request.id, request]))
}

/** Inserts those of a chunk's requests that are not in the store, as a chunk of their own. */
async function insertRest(
  context: Context,
  entry: SpoolEntry<Note>,
  known: Map<string, StoredRequest>,
): Promise<Inserted> {
  const { parts = [], ...note } = entry.note
  const bytes = await readFile(entry.path)
  const pieces: Buffer[] = []
  let at = 0
  for (const part of parts) {
    if (!known.has(part.id)) pieces.push(bytes.subarray(at, at + part.bytes))
    at += part.bytes
  }
  const rest = parts.filter(({ id }) => !known.has(id))
  let added: Inserted = { accepted: 0, rejected: 0, outcomes: [] }
  if (rest.length > 0) {
    const which = createHash('sha256').update(JSON.stringify(rest.map(({ id }) => id)))
    const token = `${note.token}.${which.digest('hex').slice(0, 32)}`
    const lines = note.lines === 0 ? 0 : rest.reduce((sum, { records }) => sum + (records ?? 1), 0)
    const chunk = { ...note, token, lines, parts: rest }
    added = await insertChunk(context, context.spool.add(Buffer.concat(pieces), chunk, false))
  }
  await entry.done()
  const fresh = added.outcomes.values()
  const outcomes = parts.map(({ id }): Outcome => {
    const { accepted, rejected } = known.get(id) ?? { accepted: 0, rejected: 0 }
    return known.has(id)
      ? { accepted, rejected, together: 1, repeated: true }
      : (fresh.next().value ?? { accepted, rejected, together: 1 })
  })
  return { ...added, outcomes }
}

/**
 * A request that is no valid OTLP fails the insert of all that were gathered with it: halves are tried until it stands alone.
 * They are chunks with batches of their own, so each is counted, recorded and, after a kill, repeated by itself.
 */
async function insertPartsApart(context: Context, entry: SpoolEntry<Note>): Promise<Inserted> {
  const { parts = [], ...note } = entry.note
  const bytes = await readFile(entry.path)
  const middle = Math.ceil(parts.length / 2)
  const cut = parts.slice(0, middle).reduce((sum, part) => sum + part.bytes, 0)
  const all: Inserted = { accepted: 0, rejected: 0, outcomes: [] }
  for (const [index, half] of [parts.slice(0, middle), parts.slice(middle)].entries()) {
    const piece = index === 0 ? bytes.subarray(0, cut) : bytes.subarray(cut)
    const added = context.spool.add(piece, { ...note, token: `${note.token}.${index}`, parts: half }, false)
    const inserted = await insertChunk(context, added)
    Object.assign(all, plus(all, inserted))
    all.outcomes.push(...inserted.outcomes)
  }
  await entry.done()
  return all
}

/** The messages of a chunk that are no telemetry, as a batch of their own. */
async function insertRejects({ client }: Context, note: Note, rejects: MessageReject[]): Promise<Counts> {
  const batch = `${batchOf(note.token)}#messages`
  const params = { ...originParams(note.origin), source: note.source, batch, token: `${note.token}#messages` }
  await rejectMessages(client, params, rejects)
  return { accepted: 0, rejected: rejects.reduce((sum, { messages }) => sum + messages, 0) }
}

/** Counts a chunk that went in, and the time that it took; a chunk that did not is told by its span. */
async function observed<Counted extends Counts>(
  observe: Observer,
  { note, bytes }: SpoolEntry<Note>,
  work: () => Promise<Counted>,
): Promise<Counted> {
  const flow = { source: note.source, sender: note.origin.sender, receiver: note.receiver ?? 'unknown' }
  const started = performance.now()
  const attributes = { 'cinch.source': flow.source, 'cinch.receiver': flow.receiver, 'cinch.batch.size': bytes }
  const counts = await observe.span('cinch.commit', attributes, work)
  observe.batch(flow, bytes, (performance.now() - started) / 1000)
  observe.accepted(flow, counts.accepted)
  observe.rejected(flow, counts.rejected)
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
  const bytes = await readFile(entry.path)
  const parts = halves(bytes)
  if (!parts) {
    await rejectChunk(context.client, {
      ...originParams(note.origin),
      batch: batchOf(note.token),
      token: `${note.token}#rejected`,
      source: note.source,
      reason: 'malformed_protobuf',
      line: `${bytes.length} bytes: ${error instanceof Error ? error.message.slice(0, 200) : ''}`,
    })
    return
  }
  for (const [index, part] of parts.entries()) {
    const { position: _, positions: __, parts: ___, rejects: ____, ...rest } = note
    await insertChunk(context, context.spool.add(part, { ...rest, token: `${note.token}#${index}` }, false))
  }
}

/** True when the engine refused the bytes themselves, and not the statement or the moment. */
function isMalformed(error: unknown): boolean {
  return (
    error instanceof Error &&
    /PROTOBUF|CANNOT_PARSE|CANNOT_READ_ALL_DATA|INCORRECT_DATA|ATTEMPT_TO_READ_AFTER_EOF|UNEXPECTED_END/.test(
      `${'type' in error ? error.type : ''} ${error.message}`,
    )
  )
}
