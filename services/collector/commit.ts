import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import { batchCounts, type Counts, plus } from '../store/queries/batches.ts'
import { type FilePosition, recordPositions } from '../store/queries/files.ts'
import { type MessageReject, rejectChunk, rejectMessages } from '../store/queries/rejects.ts'
import { recordRequests, storedRequests } from '../store/queries/requests.ts'
import { openSpool, type Spool, type SpoolEntry } from '../store/spool.ts'
import { run, type Store } from '../store/store.ts'
import { type Division, divide, type Inserted, insertDivision, type Share } from './gather/division.ts'
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
  /** Token of the chunk that was divided into this one and others. While that is there, this one was not begun. */
  of?: string
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
  /**
   * Writes the pieces to the spool as one chunk that survives a kill, and with `sync` a loss of power. Rejects where the disk
   * refuses it.
   */
  stage(pieces: Uint8Array[], note: Note, sync: boolean): Promise<SpoolEntry<Note>>
  /**
   * Stores a staged chunk and removes it from the spool. Rejects when the store does not take it now: the chunk stays, and
   * this may be called again.
   * @returns what became of each of the note's parts
   */
  finish(entry: SpoolEntry<Note>): Promise<Outcome[]>
  /** Chunks of gathered requests that earlier processes left, and that `recover` could not insert. */
  unfinished(): SpoolEntry<Note>[]
  /**
   * Positions that those chunks reach which `recover` could not insert: they stay in the spool, and are not to be read again.
   * Positions of files are known by source and cluster only; names of topics say all.
   */
  held(of?: { source: string; cluster: string }): FilePosition[]
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
    observed(observe, entry, () => insertChunk({ store, spool, client, divisions }, entry))
  const divisions = new WeakMap<SpoolEntry<Note>, Division>()
  /** Chunks that stay in the spool, by their tokens: whoever commits one again means that entry, and leaves no second one. */
  const failed = new Map<string, SpoolEntry<Note>>()
  const unfinished: SpoolEntry<Note>[] = []
  const held: Note[] = []
  return {
    commit: async (chunk, note, sync) => {
      const entry = failed.get(note.token) ?? spool.add(chunk, note, sync)
      failed.delete(note.token)
      try {
        return await lanes((client) => insertEntry(client, entry))
      } catch (error) {
        failed.set(note.token, entry)
        throw error
      }
    },
    spool: async (pieces, note, sync) => {
      const entry = await spool.put(pieces, note, sync)
      return () => lanes((client) => insertEntry(client, entry))
    },
    stage: (pieces, note, sync) => spool.put(pieces, note, sync),
    finish: async (entry) => (await lanes((client) => insertEntry(client, entry))).outcomes,
    unfinished: () => unfinished,
    held: (of) =>
      held
        .filter(({ source, origin }) => !of || (source === of.source && origin.cluster === of.cluster))
        .flatMap(positionsOf),
    recover: async () => {
      const recovery: Recovery = { inserted: 0, failed: [] }
      const pending = spool.pending()
      const whole = new Set(pending.map(({ note }) => note.token))
      for (const entry of pending) {
        if (entry.note.of !== undefined && whole.has(entry.note.of)) {
          await entry.done()
          continue
        }
        await lanes((client) => insertEntry(client, entry)).then(
          () => recovery.inserted++,
          (error: unknown) => {
            recovery.failed.push(error instanceof Error ? error.message : String(error))
            if (entry.note.parts) unfinished.push(entry)
            held.push(entry.note)
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
  /** What became of chunks that were divided, for whoever tries them again. */
  divisions: WeakMap<SpoolEntry<Note>, Division>
}

const positionsOf = ({ position, positions = [] }: Note) => (position ? [position, ...positions] : positions)

const batchOf = (token: string) => token.split('#')[0] ?? token

async function insertChunk(context: Context, entry: SpoolEntry<Note>): Promise<Inserted> {
  const { store, client } = context
  const { note } = entry
  if (context.divisions.has(entry)) return await insertShares(context, entry)
  const known = await storedElsewhere(context, note)
  if (known.size > 0) return await insertShares(context, entry, restOf(note, known), known)
  const source = findSource(note.source)
  const { plain, wrapped } = statementsFor(source, note.framing, store.location.kind === 'chdb' ? 'file' : 'input')
  const batch = batchOf(note.token)
  let malformed = false
  try {
    if (!note.rejects || entry.bytes > 0) await insert(context, entry, plain, note.token, batch)
  } catch (error) {
    if (note.framing !== 'protobuf' || !isMalformed(error)) throw error
    if (note.parts && note.parts.length > 1) return await insertShares(context, entry, halvesOf(note, note.parts))
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
 * What became of those requests of a chunk that others stored. Asked where several processes write to a store: a sender that
 * heard nothing from one of them may repeat its request to another, which does not remember it.
 */
async function storedElsewhere({ store, client }: Context, { parts = [], token }: Note): Promise<Map<string, Outcome>> {
  if (store.location.kind === 'chdb' || parts.length === 0) return new Map()
  const ids = parts.map(({ id }) => id)
  const found = await storedRequests(client, ids, REMEMBERED_S)
  if (found.length === 0) return new Map()
  // It is there as it is, and only the answer was lost: under another token the rest of it would count again.
  if (found.length < ids.length && isCounted(await batchCounts(client, batchOf(token)))) return new Map()
  return new Map(
    found.map(({ id, accepted, rejected }) => [id, { accepted, rejected, together: 1, repeated: true }] as const),
  )
}

const isCounted = ({ accepted, rejected }: Counts) => accepted + rejected > 0

/** Those of a chunk's requests that are not known, as one share. */
function restOf({ token, parts = [] }: Note, known: Map<string, Outcome>): Share[] {
  const rest = parts.filter(({ id }) => !known.has(id))
  const which = createHash('sha256').update(JSON.stringify(rest.map(({ id }) => id)))
  return rest.length === 0 ? [] : [{ parts: rest, token: `${token}.${which.digest('hex').slice(0, 32)}` }]
}

/** A request that is no valid OTLP fails the insert of all that were gathered with it: halves are tried until it stands alone. */
function halvesOf({ token }: Note, parts: Part[]): Share[] {
  const middle = Math.ceil(parts.length / 2)
  return [parts.slice(0, middle), parts.slice(middle)].map((half, index) => ({
    parts: half,
    token: `${token}.${index}`,
  }))
}

/** Inserts what is left of a chunk that is divided, now or before. */
async function insertShares(
  context: Context,
  entry: SpoolEntry<Note>,
  shares: Share[] = [],
  known?: Map<string, Outcome>,
): Promise<Inserted> {
  const division = context.divisions.get(entry) ?? (await divide(context.spool, entry, shares, known))
  context.divisions.set(entry, division)
  return await insertDivision(division, (share) => insertChunk(context, share))
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
  // To its end: a connection that is cut before it is no success.
  await finished(answer.stream.resume())
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
    const half = context.spool.add(part, { ...rest, token: `${note.token}#${index}` }, false)
    await insertChunk(context, half).catch(async (cause: unknown) => {
      // Its chunk is there yet, and comes to the same halves.
      await half.done()
      throw cause
    })
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
