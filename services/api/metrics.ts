import type { Attributes } from '../collector/observe.ts'
import { INSTRUMENTS, type InstrumentName } from '../telemetry/instruments.ts'
import type { Registry } from '../telemetry/registry.ts'
import type { SourceListing } from './freshness.ts'

/** Units as Prometheus writes them at the end of a name. */
const UNITS: Record<string, string> = { s: '_seconds', By: '_bytes', '1': '_ratio' }

interface Sample {
  suffix?: string
  attributes: Attributes
  value: number
}

/** Cinch's own figures in Prometheus text format 0.0.4: those of this process, and what the store knows of each source. */
export function metricsText(registry: Registry, sources: SourceListing[]): string {
  return [...countersText(registry), ...histogramsText(registry), ...gaugesText(registry), ...sourcesText(sources), '']
    .flat()
    .join('\n')
}

function countersText(registry: Registry): string[][] {
  return [...registry.counters].map(([name, series]) =>
    family(`${nameOf(name)}_total`, 'counter', INSTRUMENTS[name].description, [...series.values()]),
  )
}

function histogramsText(registry: Registry): string[][] {
  return [...registry.histograms].map(([name, all]) => {
    const samples = [...all.values()].flatMap(({ attributes, count, sum, buckets }) => [
      ...buckets.map((value, index) => ({
        suffix: '_bucket',
        attributes: { ...attributes, le: String(INSTRUMENTS[name].bounds?.[index]) },
        value,
      })),
      { suffix: '_bucket', attributes: { ...attributes, le: '+Inf' }, value: count },
      { suffix: '_sum', attributes, value: sum },
      { suffix: '_count', attributes, value: count },
    ])
    return family(nameOf(name, INSTRUMENTS[name].unit), 'histogram', INSTRUMENTS[name].description, samples)
  })
}

function gaugesText(registry: Registry): string[][] {
  const byName = Map.groupBy(registry.gauges(), ({ name }) => name)
  return [...byName].map(([name, gauges]) =>
    family(
      nameOf(name, gauges[0]?.unit ?? ''),
      'gauge',
      gauges[0]?.description ?? '',
      gauges.map(({ attributes = {}, value }) => ({ attributes, value })),
    ),
  )
}

function sourcesText(sources: SourceListing[]): string[][] {
  const bySource = (value: (source: SourceListing) => number) =>
    sources.map((source) => ({ attributes: { source: source.id }, value: value(source) }))
  const byStream = (value: (stream: SourceListing['streams'][number]) => number) =>
    sources.flatMap(({ id, streams }) =>
      streams.map((stream) => ({
        attributes: { source: id, sender: stream.sender, cluster: stream.cluster },
        value: value(stream),
      })),
    )
  const seconds = (time: string) => (time === '' ? 0 : Date.parse(time) / 1000)
  return [
    family(
      'cinch_source_accepted_total',
      'counter',
      'Facts stored, by source.',
      bySource(({ facts }) => facts),
    ),
    family(
      'cinch_source_rejected_total',
      'counter',
      'Lines rejected, by source.',
      bySource(({ rejected }) => rejected),
    ),
    family(
      'cinch_source_silent',
      'gauge',
      '1 when a sender has been quiet for longer than is usual for it.',
      byStream(({ state }) => (state === 'silent' ? 1 : 0)),
    ),
    family(
      'cinch_source_lag_seconds',
      'gauge',
      'From the newest request to its loading.',
      byStream(({ lag_s }) => lag_s),
    ),
    family(
      'cinch_source_loaded_timestamp_seconds',
      'gauge',
      'When something of it was last loaded.',
      byStream(({ loaded }) => seconds(loaded)),
    ),
  ]
}

function family(name: string, type: string, help: string, samples: Sample[]): string[] {
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(({ suffix = '', attributes, value }) => `${name}${suffix}${labelsOf(attributes)} ${value}`),
  ]
}

const nameOf = (name: string, unit = '') => `${name.replaceAll(/[^a-zA-Z0-9]+/g, '_')}${UNITS[unit] ?? ''}`

function labelsOf(attributes: Attributes): string {
  const labels = Object.entries(attributes).map(
    ([name, value]) => `${name.replaceAll(/[^a-zA-Z0-9_]/g, '_')}="${escaped(String(value))}"`,
  )
  return labels.length > 0 ? `{${labels.join(',')}}` : ''
}

const escaped = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

/** One answered request. Routes are templates, so the number of series is bounded; methods are those that exist. */
export function countRequest(
  registry: Registry,
  method: string,
  route: string,
  status: number,
  elapsedMs: number,
): void {
  const name: InstrumentName = 'http.server.request.duration'
  const attributes = { 'http.request.method': method, 'http.route': route, 'http.response.status_code': status }
  registry.record(name, elapsedMs / 1000, attributes)
}
