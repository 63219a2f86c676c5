import { createHash } from 'node:crypto'
import { CinchError } from '../model/errors.ts'
import { filePositions } from '../store/queries/files.ts'
import type { Store } from '../store/store.ts'
import type { Committer, Note } from './commit.ts'
import {
  type Chunk,
  type Cut,
  chunkBytesFor,
  chunks,
  countLines,
  cutDocuments,
  cutLines,
  cutMessages,
} from './input/chunks.ts'
import { messagesOfCollectorFile, startsAsCollectorFile } from './input/collector-file.ts'
import { findPosition, type Input } from './input/input.ts'
import { storeObjects } from './objects.ts'
import type { Origin } from './origin.ts'
import type { Source } from './sources/index.ts'
import type { Framing } from './statements/statements.ts'

/** What an ingest did. `read` counts lines (spans for traces) that were new; `skipped` bytes were in the store already. */
export interface IngestResult {
  read: number
  accepted: number
  rejected: number
  bytes: number
  skipped: number
  seconds: number
}

export type Progress = (state: { name: string; done: number; size: number; accepted: number }) => void

/** Chunks on their way at once: one for each lane and one that is being filled. */
const IN_FLIGHT_MAX = 3

/**
 * Loads one input. Every line is a fact or a reject when this resolves; run again after a crash it goes on where it was,
 * a grown file adds its tail, and a copy under another name adds nothing.
 * @param chunkBytes how much is committed at once
 * @throws CinchError `bad_file`, `bad_objects`
 */
export async function ingest(
  store: Store,
  committer: Committer,
  source: Source,
  origin: Origin,
  input: Input,
  progress: Progress = () => {},
  chunkBytes = chunkBytesFor(input.unpackedSize, store.ingest.length),
): Promise<IngestResult> {
  const started = performance.now()
  const result = { read: 0, accepted: 0, rejected: 0, bytes: 0, skipped: 0, seconds: 0 }
  if (source.kind === 'objects') {
    Object.assign(result, await storeObjects(store, origin.cluster, input))
  } else if (input.beginning.length > 0) {
    await ingestChunks(store, committer, source, origin, input, progress, result, chunkBytes)
  }
  result.read = result.accepted + result.rejected
  result.seconds = (performance.now() - started) / 1000
  return result
}

async function ingestChunks(
  store: Store,
  committer: Committer,
  source: Source,
  origin: Origin,
  input: Input,
  progress: Progress,
  result: IngestResult,
  chunkBytes: number,
): Promise<void> {
  // What waits in the spool is not read again: other bounds, of a file that has grown, would make it other chunks.
  const held = committer.held({ source: source.id, cluster: origin.cluster })
  const stored = await filePositions(store.reads, source.id, origin.cluster)
  const position = findPosition(input.beginning, [...stored, ...held])
  const framing = framingOf(source, input.beginning)
  const bytes =
    framing === 'protobuf' && startsAsCollectorFile(input.beginning)
      ? messagesOfCollectorFile(input.bytes)
      : input.bytes
  result.skipped = position.end
  const running = new Set<Promise<void>>()
  let failure: unknown
  for await (const chunk of chunks(bytes, cutOf(source, framing), position.end, chunkBytes)) {
    const note = noteOf(source, framing, origin, position, chunk)
    const work = committer
      .commit(chunk.bytes, note, false)
      .then((counts) => {
        result.accepted += counts.accepted
        result.rejected += counts.rejected
        result.bytes += chunk.bytes.length
        progress({ name: input.name, done: input.bytesRead(), size: input.size, accepted: result.accepted })
      })
      .catch((error) => {
        failure ??= error
      })
      .finally(() => running.delete(work))
    running.add(work)
    if (running.size >= IN_FLIGHT_MAX) await Promise.race(running)
    if (failure) break
  }
  await Promise.all(running)
  if (failure) throw failure
}

function cutOf(source: Source, framing: Framing): Cut {
  if (source.kind === 'spans') return cutDocuments
  return framing === 'lines' ? cutLines : cutMessages
}

/** OTLP in JSON begins with an object; anything else is protobuf. */
export function framingOf(source: Source, beginning: Buffer): Framing {
  if (source.kind !== 'otlp' && source.kind !== 'metrics') return 'lines'
  const first = beginning.find((byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)
  return first === 0x0a || beginning[0] === 0x0a || first === 0x00 ? 'protobuf' : 'lines'
}

function noteOf(
  source: Source,
  framing: Framing,
  origin: Origin,
  position: { file: string; beginning: number },
  chunk: Chunk,
): Note {
  const where = [source.id, origin.cluster, origin.sender, position.file, chunk.end - chunk.bytes.length, chunk.end]
  return {
    source: source.id,
    framing,
    origin,
    token: createHash('sha256').update(JSON.stringify(where)).digest('hex'),
    lines: framing === 'lines' ? countLines(chunk.bytes) : 0,
    position: { file: position.file, beginning: position.beginning, end: chunk.end },
    torn: chunk.torn,
    receiver: 'file',
  }
}

/**
 * Stores what came in one request, known by its bytes: the same bytes sent again count once.
 * @throws CinchError `too_large` beyond `REQUEST_BYTES_MAX`
 */
export async function ingestRequest(
  store: Store,
  committer: Committer,
  source: Source,
  origin: Origin,
  body: Buffer,
): Promise<IngestResult> {
  const started = performance.now()
  if (body.length > REQUEST_BYTES_MAX)
    throw new CinchError(
      'too_large',
      `the request has ${body.length} bytes`,
      `send at most ${REQUEST_BYTES_MAX} bytes in one request`,
    )
  const seconds = () => (performance.now() - started) / 1000
  if (source.kind === 'objects') {
    const counts = await storeObjects(store, origin.cluster, { name: 'the request', bytes: once(body) })
    return { read: counts.accepted + counts.rejected, ...counts, skipped: 0, seconds: seconds() }
  }
  if (body.length === 0) return { read: 0, accepted: 0, rejected: 0, bytes: 0, skipped: 0, seconds: seconds() }
  const framing = framingOf(source, body)
  const token = createHash('sha256')
    .update(JSON.stringify([source.id, origin.cluster, origin.sender]))
    .update(body)
    .digest('hex')
  const counts = await committer.commit(
    body,
    { source: source.id, framing, origin, token, lines: framing === 'lines' ? countLines(body) : 0, receiver: 'http' },
    true,
  )
  return { read: counts.accepted + counts.rejected, ...counts, bytes: body.length, skipped: 0, seconds: seconds() }
}

/** Requests are held in memory whole: half of a chunk, so that two senders and an ingest fit. */
export const REQUEST_BYTES_MAX = 64 << 20

async function* once(body: Buffer): AsyncGenerator<Buffer> {
  yield body
}
