import { CinchError } from '../../model/errors.ts'
import type { Origin } from '../origin.ts'
import { exposition } from './exposition.ts'

/** A page of metrics that is looked at again and again, on whose word, and how it is named. */
export interface ScrapeTarget {
  url: URL
  /** On whose word; rejects where the sender may not speak any more. */
  origin(): Promise<Origin>
}

/** What one look at a target brought. */
export interface Scraped {
  target: string
  samples: number
  skipped: number
}

/** Stores lines of `istio-metrics`; resolves when they are in the store. */
export type Submit = (origin: Origin, bytes: Buffer) => Promise<unknown>

export interface ScrapeOptions {
  submit: Submit
  intervalMs?: number
  timeoutMs?: number
  /** Told of each look that failed, and once when the target answers again. */
  note: (text: string) => void
  nowMs?: () => number
}

export const SCRAPE_INTERVAL_MS = 15_000
export const SCRAPE_TIMEOUT_MS = 10_000
/** A page of Envoy with all its statistics has some MiB; both bounds hold, packed and unpacked. */
export const PAGE_BYTES_MAX = 64 << 20

/**
 * Reads a target as it is given: `URL` for the operator's own, `SENDER=URL` for a registered sender's.
 * @throws CinchError `bad_option`
 */
export function parseTarget(text: string): { sender: string | undefined; url: URL } {
  const [, sender, address = ''] = /^(?:([a-z0-9][a-z0-9._-]{0,62})=)?(.*)$/.exec(text) ?? []
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '' || url.hash !== '')
    throw new CinchError(
      'bad_option',
      'a target of --scrape is no http(s) URL without credentials',
      'give --scrape http://127.0.0.1:15090/stats/prometheus, or --scrape SENDER=URL',
    )
  return { sender, url }
}

/** Looks at once: bounds memory to so many pages. */
const LOOKS_MAX = 16
/** What several targets of a sender tell within this time is one insert, whose cost is mostly the same for one and for many. */
const GATHER_MS = 500

/**
 * Looks at every target once in an interval until stopped. A look that takes longer than the timeout is given up; a round that
 * takes longer than the interval is waited for.
 * @returns what stops it, and resolves when nothing runs any more
 */
export function startScraping(targets: readonly ScrapeTarget[], options: ScrapeOptions): () => Promise<void> {
  const stop = new AbortController()
  const running = rounds(targets, options, stop.signal)
  return async () => {
    stop.abort()
    await running
  }
}

async function rounds(targets: readonly ScrapeTarget[], options: ScrapeOptions, stop: AbortSignal): Promise<void> {
  const intervalMs = options.intervalMs ?? SCRAPE_INTERVAL_MS
  const submit = gathering(options.submit, Math.min(GATHER_MS, intervalMs / 5))
  const failing = new Set<ScrapeTarget>()
  let due = performance.now()
  while (await waited(due - performance.now(), stop)) {
    due = Math.max(due + intervalMs, performance.now())
    const left = [...targets]
    const worker = async () => {
      for (let target = left.shift(); target && !stop.aborted; target = left.shift())
        await look(target, { ...options, submit }, failing, stop)
    }
    await Promise.all(Array.from({ length: Math.min(LOOKS_MAX, targets.length) }, worker))
  }
}

async function look(
  target: ScrapeTarget,
  options: ScrapeOptions,
  failing: Set<ScrapeTarget>,
  stop: AbortSignal,
): Promise<void> {
  try {
    await scrape(target, options, stop)
    if (failing.delete(target)) options.note(`${nameOf(target.url)} answers again`)
  } catch (error) {
    if (stop.aborted) return
    // One note for a fault that stays.
    if (!failing.has(target)) options.note(`cannot scrape ${nameOf(target.url)}: ${reason(error)}`)
    failing.add(target)
  }
}

/** Puts what comes for one sender within `gatherMs` into one submission, and tells each giver what became of it. */
function gathering(submit: Submit, gatherMs: number): Submit {
  const open = new Map<string, { pieces: Buffer[]; done: Promise<unknown> }>()
  return async (origin, bytes) => {
    const key = JSON.stringify(origin)
    const group = open.get(key)
    if (group) {
      group.pieces.push(bytes)
      return await group.done
    }
    const pieces = [bytes]
    const done = new Promise((resolve) => setTimeout(resolve, gatherMs)).then(() => {
      open.delete(key)
      return submit(origin, Buffer.concat(pieces))
    })
    open.set(key, { pieces, done })
    return await done
  }
}

/**
 * Looks at a target once, and stores what it tells under the time at which the look began.
 * @throws CinchError `bad_file` for what is no page of metrics, `too_large`; what fetch and `submit` throw
 */
export async function scrape(
  target: ScrapeTarget,
  { submit, timeoutMs = SCRAPE_TIMEOUT_MS, nowMs = Date.now }: Omit<ScrapeOptions, 'note'>,
  stop?: AbortSignal,
): Promise<Scraped> {
  const name = nameOf(target.url)
  const time = nowMs()
  const limit = AbortSignal.timeout(timeoutMs)
  const page = await fetchPage(target.url, stop ? AbortSignal.any([stop, limit]) : limit)
  const { bytes, samples, skipped } = exposition(page, time, name)
  await submit(await target.origin(), bytes)
  return { target: name, samples, skipped }
}

/** The address without the query, which may hold what is not for a table. */
const nameOf = (url: URL) => `${url.hostname}:${url.port || (url.protocol === 'https:' ? '443' : '80')}${url.pathname}`

const ACCEPT =
  'application/openmetrics-text;version=1.0.0;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.4'

async function fetchPage(url: URL, signal: AbortSignal): Promise<Buffer> {
  // A redirect would lead where nobody asked to go: within the cluster, to its metadata service.
  const answer = await fetch(url, {
    redirect: 'error',
    signal,
    headers: { accept: ACCEPT, 'user-agent': 'cinch', 'accept-encoding': 'gzip' },
  })
  const type = answer.headers.get('content-type') ?? ''
  if (answer.status !== 200) throw notMetrics(`it answers ${answer.status}`)
  if (!/^(text\/plain|application\/openmetrics-text)\b/.test(type)) throw notMetrics('it is no text of metrics')
  return await readBounded(answer)
}

/** Bytes as they are after unpacking, which goes on as they are read: a bomb is left when it passes the bound. */
async function readBounded(answer: Response): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of answer.body ?? []) {
    size += part.length
    // Leaving the loop cancels the rest of the body.
    if (size > PAGE_BYTES_MAX) throw tooLarge()
    parts.push(part)
  }
  return Buffer.concat(parts)
}

const notMetrics = (what: string) =>
  new CinchError('bad_file', what, 'give the address of a page in the text format of Prometheus or OpenMetrics')

const tooLarge = () =>
  new CinchError('too_large', `the page has more than ${PAGE_BYTES_MAX} bytes`, 'let the proxy tell fewer statistics')

/** Resolves to false when stopped meanwhile. */
async function waited(ms: number, stop: AbortSignal): Promise<boolean> {
  if (stop.aborted) return false
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer)
      stop.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, Math.max(ms, 0))
    stop.addEventListener('abort', done)
  })
  return !stop.aborted
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return error.name === 'TimeoutError' ? 'it takes too long' : `${error.message}${cause}`
}
