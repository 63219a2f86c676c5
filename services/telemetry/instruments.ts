/** What Cinch counts of itself, once: `/metrics` and OTLP both read this list. Names are OpenTelemetry's where it has one. */
export interface Instrument {
  kind: 'counter' | 'histogram'
  unit: 's' | 'By' | '{item}'
  description: string
  /** Upper bounds of a histogram's buckets. */
  bounds?: number[]
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const KIB = 1024
const BYTES = [KIB, 16 * KIB, 128 * KIB, 1024 * KIB, 8192 * KIB, 65_536 * KIB]

export const INSTRUMENTS = {
  'cinch.ingest.accepted': counter('Lines, spans and messages stored, by source, sender and receiver.'),
  'cinch.ingest.rejected': counter('Lines, spans and messages that are none, or that their sender may not send.'),
  'cinch.ingest.delayed': counter('Requests that were told to come again later.'),
  'cinch.ingest.dropped': counter('Messages that were lost, where the protocol has no way to say so.'),
  'cinch.ingest.batch.size': histogram('By', 'Unpacked bytes of one insert.', BYTES),
  'cinch.ingest.insert.duration': histogram(
    's',
    'Time from a free lane of the store to the end of an insert.',
    SECONDS,
  ),
  'cinch.job.duration': histogram('s', 'Time that a job of the analyzer took.', SECONDS),
  'http.server.request.duration': histogram('s', 'Time to answer a request.', SECONDS),
} satisfies Record<string, Instrument>

export type InstrumentName = keyof typeof INSTRUMENTS

function counter(description: string): Instrument {
  return { kind: 'counter', unit: '{item}', description }
}

function histogram(unit: 's' | 'By', description: string, bounds: number[]): Instrument {
  return { kind: 'histogram', unit, description, bounds }
}
