import { CinchError } from '../../model/errors.ts'
import { PROMETHEUS_METRICS } from '../statements/metrics.ts'

/** Samples of request counters on one page: a proxy that talks to a thousand workloads has some ten thousand. */
export const SAMPLES_MAX = 200_000

export interface Exposition {
  /** Lines of `istio-metrics`: time, target and sample, and first how many samples were left out. */
  bytes: Buffer
  samples: number
  skipped: number
}

const NAME_LENGTH_MAX = Math.max(...PROMETHEUS_METRICS.map((name) => name.length))
const NAMES = new Set(PROMETHEUS_METRICS)
const NEWLINE = 0x0a

/**
 * Takes the lines of request counters from a page in Prometheus' text format, and puts time and target before each. Nothing of
 * a line is read but its name: most of a page is of other metrics, and the engine parses the rest.
 * @param timeMs when the look at the page began, in milliseconds since 1970
 * @param target the page's address, without tabs
 * @throws CinchError `too_large` beyond `SAMPLES_MAX`
 */
export function exposition(page: Buffer, timeMs: number, target: string): Exposition {
  const head = Buffer.from(`${timeMs}\t${target}\t`)
  const pieces: Buffer[] = []
  let samples = 0
  let skipped = 0
  for (let at = 0; at < page.length; ) {
    const newline = page.indexOf(NEWLINE, at)
    const end = newline === -1 ? page.length : newline + 1
    if (isCounter(page, at, end)) {
      if (++samples > SAMPLES_MAX) throw tooMany(target)
      pieces.push(head, page.subarray(at, end))
      if (newline === -1) pieces.push(Buffer.from('\n'))
    } else if (isSample(page[at])) skipped++
    at = end
  }
  // A look is told of even where no counter is there yet: one that appears later was at zero now.
  return { bytes: Buffer.concat([head, Buffer.from(`cinch_scrape ${skipped}\n`), ...pieces]), samples, skipped }
}

/** Not empty, and no comment. */
const isSample = (first: number | undefined) =>
  first !== undefined && first !== NEWLINE && first !== 0x0d && first !== 0x23

function isCounter(page: Buffer, at: number, end: number): boolean {
  const first = page[at]
  // `i` of Istio's and of Linkerd's `inbound`, `r` of its requests and responses: most lines are done with here.
  if (first !== 0x69 && first !== 0x72) return false
  const name = /^[a-z_]+/.exec(page.toString('latin1', at, Math.min(end, at + NAME_LENGTH_MAX + 1)))?.[0]
  return name !== undefined && NAMES.has(name)
}

const tooMany = (target: string) =>
  new CinchError(
    'too_large',
    `${target} tells of more than ${SAMPLES_MAX} request counters`,
    'drop labels that multiply them (Telemetry resource, tagOverrides), or scrape it through Prometheus',
  )
