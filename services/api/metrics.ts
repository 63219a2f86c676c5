import type { SourceListing } from './cinch.ts'

/** Bounds of the latency histogram, in seconds. */
const BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

interface Series {
  labels: string
  count: number
  sum: number
  buckets: number[]
}

/** Cinch's own figures in Prometheus text format 0.0.4: its requests by route, and what came from each source. */
export class Metrics {
  readonly #requests = new Map<string, Series>()

  /** Counts one answered request. Routes are templates, so the number of series is bounded. */
  count(method: string, route: string, status: number, elapsedMs: number): void {
    const labels = `method="${method}",route="${route}",status="${status}"`
    const series = this.#requests.get(labels) ?? { labels, count: 0, sum: 0, buckets: BUCKETS_S.map(() => 0) }
    this.#requests.set(labels, series)
    const seconds = elapsedMs / 1000
    series.count++
    series.sum += seconds
    for (const [index, bound] of BUCKETS_S.entries())
      if (seconds <= bound) series.buckets[index] = (series.buckets[index] ?? 0) + 1
  }

  text(sources: SourceListing[]): string {
    const requests = [...this.#requests.values()].flatMap(({ labels, count, sum, buckets }) => [
      ...buckets.map(
        (value, index) => `cinch_http_request_duration_seconds_bucket{${labels},le="${BUCKETS_S[index]}"} ${value}`,
      ),
      `cinch_http_request_duration_seconds_bucket{${labels},le="+Inf"} ${count}`,
      `cinch_http_request_duration_seconds_sum{${labels}} ${sum}`,
      `cinch_http_request_duration_seconds_count{${labels}} ${count}`,
    ])
    return [
      '# HELP cinch_http_request_duration_seconds Time to answer a request.',
      '# TYPE cinch_http_request_duration_seconds histogram',
      ...requests,
      '# HELP cinch_source_accepted_total Facts stored, by source.',
      '# TYPE cinch_source_accepted_total counter',
      ...sources.map((source) => `cinch_source_accepted_total{source="${source.id}"} ${source.facts}`),
      '# HELP cinch_source_rejected_total Lines rejected, by source.',
      '# TYPE cinch_source_rejected_total counter',
      ...sources.map((source) => `cinch_source_rejected_total{source="${source.id}"} ${source.rejected}`),
      '# HELP process_resident_memory_bytes Resident memory of this process.',
      '# TYPE process_resident_memory_bytes gauge',
      `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
      '',
    ].join('\n')
  }
}
