import type { Attributes, Flow, Gauge, Observer } from '../collector/observe.ts'
import { INSTRUMENTS, type InstrumentName } from './instruments.ts'

/** Series of one instrument; what comes with further attributes is counted together, as OpenTelemetry's SDKs do. */
export const SERIES_MAX = 2000
const OVERFLOW: Attributes = { 'otel.metric.overflow': true }

export interface CounterSeries {
  attributes: Attributes
  value: number
}

export interface HistogramSeries {
  attributes: Attributes
  count: number
  sum: number
  /** Cumulative, one for each bound. */
  buckets: number[]
}

interface RegisteredGauge extends Gauge {
  read: () => number
}

/** Where measurements go beside the registry, and what makes spans: OTLP, when it is on. */
export interface Exporter {
  record(name: InstrumentName, value: number, attributes: Attributes): void
  /** A gauge of a name that was not there before. */
  gauge(gauge: Gauge): void
  span<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T>
}

/** Cinch's own figures since this process began, for whoever asks. */
export class Registry implements Observer {
  readonly counters = new Map<InstrumentName, Map<string, CounterSeries>>()
  readonly histograms = new Map<InstrumentName, Map<string, HistogramSeries>>()
  readonly #gauges = new Map<string, RegisteredGauge>()
  #exporter: Exporter | undefined

  accepted(flow: Flow, count: number): void {
    this.add('cinch.ingest.accepted', count, flowAttributes(flow))
  }
  rejected(flow: Flow, count: number): void {
    this.add('cinch.ingest.rejected', count, flowAttributes(flow))
  }
  delayed(flow: Flow, count: number): void {
    this.add('cinch.ingest.delayed', count, flowAttributes(flow))
  }
  dropped(flow: Flow, count: number): void {
    this.add('cinch.ingest.dropped', count, flowAttributes(flow))
  }
  batch(flow: Flow, bytes: number, seconds: number): void {
    this.record('cinch.ingest.batch.size', bytes, flowAttributes(flow))
    this.record('cinch.ingest.insert.duration', seconds, flowAttributes(flow))
  }

  gauge(gauge: Gauge, read: () => number): () => void {
    const key = keyOf({ ...gauge.attributes, '': gauge.name })
    const registered = { ...gauge, read }
    const known = [...this.#gauges.values()].some(({ name }) => name === gauge.name)
    this.#gauges.set(key, registered)
    if (!known) this.#exporter?.gauge(gauge)
    return () => {
      if (this.#gauges.get(key) === registered) this.#gauges.delete(key)
    }
  }

  async span<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T> {
    return await (this.#exporter ? this.#exporter.span(name, attributes, work) : work())
  }

  /** A job of the analyzer, timed and traced. */
  async job<T>(job: string, work: () => Promise<T>): Promise<T> {
    const started = performance.now()
    try {
      return await this.span(`cinch.job ${job}`, { 'cinch.job': job }, work)
    } finally {
      this.record('cinch.job.duration', (performance.now() - started) / 1000, { 'cinch.job': job })
    }
  }

  add(name: InstrumentName, value: number, attributes: Attributes): void {
    if (value <= 0) return
    seriesOf(this.counters, name, attributes, () => ({ value: 0 })).value += value
  }

  record(name: InstrumentName, value: number, attributes: Attributes): void {
    const bounds = INSTRUMENTS[name].bounds ?? []
    const empty = () => ({ count: 0, sum: 0, buckets: bounds.map(() => 0) })
    const series = seriesOf(this.histograms, name, attributes, empty)
    series.count++
    series.sum += value
    for (const [index, bound] of bounds.entries())
      if (value <= bound) series.buckets[index] = (series.buckets[index] ?? 0) + 1
    this.#exporter?.record(name, value, attributes)
  }

  /** Gauges with their values now; one that cannot be read is left out. */
  gauges(): (Gauge & { value: number })[] {
    return [...this.#gauges.values()].flatMap(({ read, ...gauge }) => {
      const value = read()
      return Number.isFinite(value) ? [{ ...gauge, value }] : []
    })
  }

  attach(exporter: Exporter): void {
    this.#exporter = exporter
    const names = new Map([...this.#gauges.values()].map((gauge) => [gauge.name, gauge]))
    for (const gauge of names.values()) exporter.gauge(gauge)
  }

  detach(): void {
    this.#exporter = undefined
  }
}

const flowAttributes = ({ source, sender, receiver }: Flow): Attributes => ({ source, sender, receiver })

const keyOf = (attributes: Attributes) =>
  JSON.stringify(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)))

function seriesOf<Series>(
  all: Map<InstrumentName, Map<string, Series & { attributes: Attributes }>>,
  name: InstrumentName,
  attributes: Attributes,
  empty: () => Series,
): Series {
  const series = all.get(name) ?? new Map<string, Series & { attributes: Attributes }>()
  all.set(name, series)
  let key = keyOf(attributes)
  let kept = attributes
  if (!series.has(key) && series.size >= SERIES_MAX) {
    key = keyOf(OVERFLOW)
    kept = OVERFLOW
  }
  const found = series.get(key) ?? { ...empty(), attributes: kept }
  series.set(key, found)
  return found
}
