/**
 * What the collector tells about itself. Nothing here knows who listens: `services/telemetry/` counts and exports, tests
 * look on, and `SILENT` costs nothing.
 *
 * Who counts what: the committer counts `accepted`, `rejected`, `batch` for every chunk, with the receiver that its note
 * names. A receiver counts what never becomes a chunk: `delayed` (told to come again), `dropped` (gone, nobody was told),
 * `rejected` (refused before it was gathered).
 */
export interface Observer {
  /** Lines, spans or messages that are in the store. */
  accepted(flow: Flow, count: number): void
  rejected(flow: Flow, count: number): void
  delayed(flow: Flow, count: number): void
  dropped(flow: Flow, count: number): void
  /** One insert: unpacked bytes and the time that it took. */
  batch(flow: Flow, bytes: number, seconds: number): void
  /**
   * A value that is read when somebody asks. The same name with the same attributes replaces the one before.
   * @returns takes it back
   */
  gauge(gauge: Gauge, read: () => number): () => void
  /** Does `work` as a span of a trace; a span within another is its child. What `work` throws marks the span. */
  span<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T>
}

/** Where telemetry came from. Registered names only, so that the number of series is bounded; never what a sender wrote. */
export interface Flow {
  source: string
  /** A registered sender, `operator`, or `unknown` for one that did not say who it is. */
  sender: string
  /** The way in: `file`, `follow`, `http`, `otlp_http`, `otlp_grpc`, `als`, `kafka`, `scrape`, `remote_write`. */
  receiver: string
}

/** Names as OpenTelemetry writes them: dots, no unit (`cinch.spool.size`, `By`). */
export interface Gauge {
  name: string
  unit: 'By' | 's' | '{file}' | '{part}' | '{stream}' | '1'
  description: string
  attributes?: Attributes
}

/** No secrets, no user subjects, no paths: attributes leave the machine. */
export type Attributes = Record<string, string | number | boolean>

export const SILENT: Observer = {
  accepted: () => {},
  rejected: () => {},
  delayed: () => {},
  dropped: () => {},
  batch: () => {},
  gauge: () => () => {},
  span: (_name, _attributes, work) => work(),
}
