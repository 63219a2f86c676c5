import {
  changedSlots,
  type DirtyMinute,
  dirtyMinutes,
  markPaired,
  markSlots,
  SLOT_MS,
  slotsOfChildren,
  writeCalls,
  writeSlotCalls,
} from '../../store/queries/spans.ts'
import type { Store } from '../../store/store.ts'

/** What one statement pairs: bounds its memory, and the time for which it holds up others (270,000 spans take some 0.2 s). */
const RANGE_MINUTES_MAX = 30
const RANGE_SPANS_MAX = 500_000

const MINUTE_MS = 60_000

/**
 * Finds the service calls in every slot of time whose spans changed since it was last looked at, and in the slots that hold
 * children of theirs. Whole slots are written anew, and the minutes that they are in, so late, repeated and reordered spans, and
 * a job that was killed, all come to the same calls.
 * @param settledMs a slot that ended less than this ago is paired with the parents around it only, for its spans are still being
 * reported; once it has settled, those that are still without one are looked for in the day before. 0: at once.
 * @returns how many slots were paired
 */
export async function pairSpans(store: Store, settledMs = 0, nowMs = Date.now()): Promise<number> {
  // Clocks of senders may be ahead: what is in the future does not wait for its time to come.
  const isSettled = (time: number, lengthMs = SLOT_MS) =>
    settledMs === 0 || time + lengthMs + settledMs <= nowMs || time > nowMs + settledMs
  let paired = 0
  for (const dirty of groups(await dirtyMinutes(store.jobs), ({ minute, spans }) => [minute, spans])) {
    paired += await pairMinutes(store, dirty, isSettled)
    await markPaired(
      store.jobs,
      dirty.filter(({ minute }) => isSettled(minute, MINUTE_MS)),
    )
  }
  return paired
}

async function pairMinutes(store: Store, dirty: DirtyMinute[], isSettled: (slot: number) => boolean): Promise<number> {
  const minutes = dirty.map(({ minute }) => minute)
  const due = (await changedSlots(store.jobs, minutes)).filter(({ slot, isChanged }) => isChanged || isSettled(slot))
  const children = await slotsOfChildren(
    store.jobs,
    due.filter(({ isChanged }) => isChanged),
  )
  // A minute is written from all its slots: those of a neighbour that is not dirty may be from long ago, and forgotten.
  const touched = unique([...due.map(({ slot }) => slot), ...children].map(minuteOf))
  const forgotten = (
    await changedSlots(
      store.jobs,
      touched.filter((minute) => !minutes.includes(minute)),
    )
  ).filter(({ isChanged }) => isChanged)
  const spans = new Map([...due, ...forgotten].map((slot): [number, number] => [slot.slot, slot.spans]))
  for (const slot of children) if (!spans.has(slot)) spans.set(slot, 0)
  const slots = [...spans].sort(([a], [b]) => a - b)
  for (const far of [false, true])
    for (const group of groups(
      slots.filter(([slot]) => isSettled(slot) === far),
      (slot) => slot,
    ))
      await writeSlotCalls(
        store.jobs,
        group.map(([slot]) => slot),
        far,
      )
  if (touched.length > 0) await writeCalls(store.jobs, touched)
  // Of those in other minutes nobody looked for children: they are changed still when their minute's turn comes.
  await markSlots(store.jobs, due, isSettled)
  return slots.length
}

const minuteOf = (time: number) => Math.floor(time / MINUTE_MS) * MINUTE_MS

const unique = (times: number[]) => [...new Set(times)].sort((a, b) => a - b)

/** Cuts what is sorted by time where one statement would reach too far or hold too much. @param of time and spans of an item */
export function groups<T>(items: T[], of: (item: T) => [number, number], spansMax = RANGE_SPANS_MAX): T[][] {
  const found: T[][] = []
  let since = 0
  let held = 0
  for (const item of items) {
    const [time, spans] = of(item)
    const last = found.at(-1)
    if (last && time - since < RANGE_MINUTES_MAX * MINUTE_MS && held + spans <= spansMax) {
      last.push(item)
      held += spans
    } else {
      found.push([item])
      since = time
      held = spans
    }
  }
  return found
}
