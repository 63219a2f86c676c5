import { setTimeout as sleep } from 'node:timers/promises'
import { keptShapes, writeChains, writeShapes } from '../../store/queries/chain-counts.ts'
import {
  type DirtyTraceMinute,
  dirtyTraceMinutes,
  markChained,
  minutesOfTraces,
  recordsByMinute,
  tracesBeginningIn,
} from '../../store/queries/chains.ts'
import type { Store } from '../../store/store.ts'
import { HURRIED, type Pace } from '../pace.ts'
import { createStoredTemplates, type StoredTemplates } from '../templates/stored.ts'
import { batches, MINUTE_MS, type MinuteBatch } from './batch.ts'
import { type Cells, chainRows, countChain, emptyCells, expectationRows, shapesByUse } from './cells.ts'
import { chainOf } from './chain.ts'
import { withTemplates } from './templates.ts'

/** Changed minutes, and their spans and lines, that one round takes up: bounds of its memory and of its lists. */
export const MINUTES_MAX = 1_440
const ROUND_RECORDS_MAX = 200_000
/**
 * Shapes that are kept. Whoever sends spans can make each request's a new one; a mesh has some for each operation that users ask for.
 * Beyond, chains of new shapes are counted without theirs.
 */
export const SHAPES_KEPT_MAX = 50_000
/** Spans and lines that are read into memory at once; a minute that has more is read in parts. A part holds up others for 0.2 s. */
export const RECORDS_MAX = 20_000
/**
 * Spans and lines that are looked at in a minute. Where there are more, one trace of so many is looked at, chosen by
 * the hash of its id, and counts for all of them: a chain costs up to 0.1 ms, and a busy mesh has thousands a second.
 */
export const MINUTE_RECORDS_MAX = 60_000

export interface FindOptions {
  /** Paths of calls are counted as these, so that chains which differ in values only have one shape. */
  templates?: StoredTemplates
  shapesMax?: number
  /** For whoever waits: ends soon after so long, the newest minutes first. What is left is found by whoever looks next. */
  budgetMs?: number
  /** Spans and lines that one round takes up. */
  roundRecordsMax?: number
}

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
  {
    templates = createStoredTemplates(store),
    shapesMax = SHAPES_KEPT_MAX,
    budgetMs = Number.POSITIVE_INFINITY,
    roundRecordsMax = Number.isFinite(budgetMs) ? RECORDS_MAX : ROUND_RECORDS_MAX,
  }: FindOptions = {},
): Promise<number> {
  const end = performance.now() + budgetMs
  const order = Number.isFinite(budgetMs) ? 'newest' : 'oldest'
  let counted = 0
  // Rows of one minute are told apart by their version: two for each range, for what is no longer there and for what is.
  let version = nowMs * 1000
  for (;;) {
    const until = settledMs > 0 ? nowMs - settledMs - MINUTE_MS : Number.MAX_SAFE_INTEGER
    const changed = await dirtyTraceMinutes(store.jobs, Math.min(until, 4_000_000_000_000), MINUTES_MAX, order)
    const dirty = roundOf(changed, roundRecordsMax)
    const own = dirty.map(({ minute }) => minute)
    const minutes = new Set([...own, ...(await minutesOfTraces(store.jobs, own))])
    for (const batch of batches(minutes, await recordsByMinute(store.jobs, minutes), RECORDS_MAX)) {
      const cells = await countBatch(store, batch, pauseMs, templates)
      await writeCells(store, batch, cells, version, shapesMax)
      version += 2
    }
    await markChained(store.jobs, dirty)
    counted += minutes.size
    const isDone = dirty.length === changed.length && changed.length < MINUTES_MAX
    if (isDone || performance.now() > end) return counted
  }
}

/** The first of the changed minutes that one round can take up, one at least. */
function roundOf(changed: DirtyTraceMinute[], recordsMax: number): DirtyTraceMinute[] {
  let held = 0
  const beyond = changed.findIndex(({ records }) => {
    held += records
    return held > recordsMax
  })
  return beyond === -1 ? changed : changed.slice(0, Math.max(1, beyond))
}

async function countBatch(
  store: Store,
  batch: MinuteBatch,
  pauseMs: number,
  templates: StoredTemplates,
): Promise<{ cells: Cells; weight: number }> {
  const cells = emptyCells()
  const { looked, weight } = shareOf(batch.records)
  for (let part = 0; part < looked; part++) {
    const traces = await tracesBeginningIn(store.jobs, batch, part, looked * weight)
    for (const trace of await withTemplates(traces, templates)) countChain(cells, chainOf(trace))
    if (pauseMs > 0) await sleep(pauseMs)
  }
  return { cells, weight }
}

/**
 * How many parts of `looked * weight` are looked at, and how many chains each chain in them stands for.
 * @param records of one minute, or of several that have at most `RECORDS_MAX` together
 */
export function shareOf(records: number): { looked: number; weight: number } {
  const weight = Math.max(1, Math.ceil(records / MINUTE_RECORDS_MAX))
  return { looked: Math.max(1, Math.ceil(records / weight / RECORDS_MAX)), weight }
}

async function writeCells(
  store: Store,
  range: MinuteBatch,
  { cells, weight }: { cells: Cells; weight: number },
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
