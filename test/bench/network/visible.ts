import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Way } from './bodies.ts'
import type { Sent } from './sender.ts'
import { type Served, serve, type Usage } from './served.ts'
import { checkStored, since, startSender } from './throughput.ts'

/** What is sent steadily: by so many connections at most, so many records a second, so many in a request. */
export interface Rate {
  perSecond: number
  batch: number
  connections: number
}

const MARKS_PER_SECOND = 4
/** Marks of the first seconds tell of a start, not of what is steady. */
const STARTING_S = 2
const POLL_EVERY_MS = 50
/** A mark that is not seen so long after the last request will not be. */
const SEEN_WITHIN_MS = 15_000
const GRAPH = `/api/v1/graph?since=1h&expand=${encodeURIComponent('group:/marks')}`

export interface Visible {
  /** From sending to the first answer of the graph that shows it, milliseconds, sorted. */
  delays: number[]
  sent: Sent
  usage: Usage
}

/** Sends steadily, and asks for the graph until each call that only one request tells of is in it. */
export async function measureVisible(dir: string, way: Way, seconds: number, rate: Rate): Promise<Visible> {
  const path = mkdtempSync(join(dir, 'visible-'))
  try {
    const load = { ...rate, way, records: seconds * rate.perSecond, first: 0, marksPerSecond: MARKS_PER_SECOND }
    const send = await startSender({ ...load, isPaced: true, startMs: Date.now() })
    const served = await serve(path)
    const before = served.usage()
    const sentMs = new Map<string, number>()
    let isOver = false
    const watching = watch(served, sentMs, () => isOver)
    const sent = await send(served, ({ mark, atMs }) => void sentMs.set(mark, atMs))
    const usage = since(before, served)
    isOver = true
    const delays = await watching
    await served.stop()
    await checkStored(path, way, sent.records)
    return { delays, sent, usage }
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
}

async function watch(served: Served, sentMs: Map<string, number>, isOver: () => boolean): Promise<number[]> {
  const seen = new Map<string, number>()
  for (let overMs = 0; !isOver() || seen.size < sentMs.size; ) {
    const answer = JSON.stringify(await served.get(GRAPH))
    const nowMs = performance.timeOrigin + performance.now()
    for (const [mark, atMs] of sentMs) if (!seen.has(mark) && answer.includes(mark)) seen.set(mark, nowMs - atMs)
    if (isOver()) overMs ||= nowMs
    if (overMs > 0 && nowMs - overMs > SEEN_WITHIN_MS)
      throw new Error(`${sentMs.size - seen.size} of ${sentMs.size} marked calls are not in the graph`)
    await sleep(POLL_EVERY_MS)
  }
  const steady = [...seen].filter(([mark]) => Number(mark.slice(-4)) >= STARTING_S * MARKS_PER_SECOND)
  return steady.map(([, delay]) => delay).sort((a, b) => a - b)
}
