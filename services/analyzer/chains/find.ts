import { setTimeout as sleep } from 'node:timers/promises'
import { keptShapes, writeChains, writeShapes } from '../../store/queries/chain-counts.ts'
import {
  dirtyTraceMinutes,
  markChained,
  minutesOfTraces,
  recordsIn,
  tracesBeginningIn,
} from '../../store/queries/chains.ts'
import type { MinuteRange } from '../../store/queries/spans.ts'
import type { Store } from '../../store/store.ts'
import { HURRIED, type Pace } from '../pace.ts'
import { ranges } from '../ranges.ts'
import { type Cells, chainRows, countChain, emptyCells, expectationRows, shapesByUse } from './cells.ts'
import { chainOf } from './chain.ts'

/** Changed minutes that one round takes up, and minutes whose chains are counted together: bounds of memory and of a job's time. */
export const MINUTES_MAX = 60
const RANGE_MINUTES_MAX = 10
const MINUTE_MS = 60_000
/**
 * Shapes that are kept. Whoever sends spans can make each request's a new one; a mesh has some for each operation that users ask for.
 * Beyond, chains of new shapes are counted without theirs.
 */
export const SHAPES_KEPT_MAX = 50_000
/** Spans and lines that are read into memory at once; a range that has more is read in parts. A part holds up others for 0.2 s. */
export const RECORDS_MAX = 20_000
/**
 * Spans and lines that are looked at for each minute of a range. Where there are more, one trace of so many is looked at, chosen by
 * the hash of its id, and counts for all of them: a chain costs up to 0.1 ms, and a busy mesh has thousands a second.
 */
export const MINUTE_RECORDS_MAX = 60_000

/**
 * Finds the chains of every minute whose spans and lines changed since it was last looked at, and counts them in the minute where
 * they begin. Whole minutes are written anew, so late, repeated and reordered spans, and a job that was killed, all come to the
 * same counts.
 * @returns how many minutes were counted
 */
export async function findChains(
  store: Store,
  nowMs: number,
  { settledMs, pauseMs }: Pace = HURRIED,
  shapesMax = SHAPES_KEPT_MAX,
): Promise<number> {
  let counted = 0
  // Rows of one minute are told apart by their version: two for each range, for what is no longer there and for what is.
  let version = nowMs * 1000
  for (;;) {
    const until = settledMs > 0 ? nowMs - settledMs - MINUTE_MS : Number.MAX_SAFE_INTEGER
    const dirty = await dirtyTraceMinutes(store.jobs, Math.min(until, 4_000_000_000_000), MINUTES_MAX)
    const changed = dirty.map(({ minute }) => minute)
    const minutes = [...new Set([...changed, ...(await minutesOfTraces(store.jobs, changed))])].sort((a, b) => a - b)
    for (const range of ranges(minutes, MINUTE_MS, RANGE_MINUTES_MAX * MINUTE_MS)) {
      await countRange(store, range, version, pauseMs, shapesMax)
      version += 2
    }
    await markChained(store.jobs, dirty)
    counted += minutes.length
    if (dirty.length < MINUTES_MAX) return counted
  }
}

async function countRange(
  store: Store,
  range: MinuteRange,
  version: number,
  pauseMs: number,
  shapesMax: number,
): Promise<void> {
  const cells = emptyCells()
  const { looked, weight } = shareOf(await recordsIn(store.jobs, range), (range.until - range.since) / MINUTE_MS)
  for (let part = 0; part < looked; part++) {
    for (const trace of await tracesBeginningIn(store.jobs, range, part, looked * weight))
      countChain(cells, chainOf(trace))
    if (pauseMs > 0) await sleep(pauseMs)
  }
  await writeCells(store, range, cells, weight, version, shapesMax)
}

/** How many parts of `looked * weight` are looked at, and how many chains each chain in them stands for. */
export function shareOf(records: number, minutes: number): { looked: number; weight: number } {
  const weight = Math.max(1, Math.ceil(records / (minutes * MINUTE_RECORDS_MAX)))
  return { looked: Math.max(1, Math.ceil(records / weight / RECORDS_MAX)), weight }
}

async function writeCells(
  store: Store,
  range: MinuteRange,
  cells: Cells,
  weight: number,
  version: number,
  shapesMax: number,
): Promise<void> {
  const found = shapesByUse(cells)
  const { known, kept } = await keptShapes(
    store.jobs,
    found.map(({ id }) => id),
  )
  // Of new ones, those of most chains have what room is left: what is made up is of one chain each.
  const fresh = found.filter(({ id }) => !known.has(id))
  const folded = new Set(fresh.slice(Math.max(0, shapesMax - kept)).map(({ id }) => id))
  const shapes = found.filter(({ id }) => !folded.has(id))
  await writeShapes(
    store.jobs,
    shapes.map(({ id, calls, tree }) => ({ id, calls, tree: JSON.stringify(tree) })),
  )
  await writeChains(store.jobs, range, chainRows(cells, weight, folded), expectationRows(cells, weight), version)
}
