import { CinchError } from '../../model/errors.ts'
import type { Hold } from '../gather/budget.ts'
import type { Gatherer } from '../gather/gather.ts'
import type { Signal } from '../gather/quota.ts'
import { framingOf, type IngestResult } from '../ingest.ts'
import { countLines } from '../input/chunks.ts'
import type { Origin } from '../origin.ts'
import type { Source } from '../sources/index.ts'
import { checkProtobuf, OTLP_SIGNALS } from './signals.ts'

/** What kind of telemetry a source is, for the order in which it is let go. */
export function signalOf({ kind, id }: Source): Signal {
  if (kind === 'metrics') return 'metrics'
  return id === 'otlp-traces' || kind === 'spans' ? 'traces' : 'logs'
}

/**
 * Stores the body of one request as it came: lines of any source, or its messages. The same bytes sent again count once.
 * @param hold the memory that the body holds; given back when it is no longer needed
 * @throws OverloadedError
 */
export async function submitRaw(
  gatherer: Gatherer,
  source: Source,
  origin: Origin,
  body: Buffer,
  hold: Hold,
): Promise<IngestResult> {
  const started = performance.now()
  const framing = framingOf(source, body)
  const { bytes, records } =
    framing === 'lines' ? { bytes: body, records: linesIn(source, body) } : messagesIn(source, body)
  if (bytes.length === 0 || records === 0) {
    hold.release()
    return { read: 0, accepted: 0, rejected: 0, bytes: body.length, skipped: 0, seconds: 0 }
  }
  const outcome = await gatherer.submit({ source, framing, origin, receiver: 'http', bytes, records, hold })
  const { accepted, rejected } = outcome
  const seconds = (performance.now() - started) / 1000
  return { read: accepted + rejected, accepted, rejected, bytes: body.length, skipped: 0, seconds }
}

/** A line of an access log is a record; how many there are in a line of OTLP or of a document only the engine knows. */
const linesIn = (source: Source, body: Buffer) => (source.kind === 'lines' ? countLines(body) : undefined)

/** What is damaged goes alone: the engine saves what can be read of it. */
function messagesIn(source: Source, body: Buffer): { bytes: Buffer; records: number | undefined } {
  const signal = OTLP_SIGNALS.find((candidate) => candidate.source === source.id)
  if (!signal) return { bytes: body, records: undefined }
  try {
    return checkProtobuf(signal, body)
  } catch (error) {
    if (!(error instanceof CinchError)) throw error
    return { bytes: body, records: undefined }
  }
}
