import type { MinuteRange } from '../../store/queries/spans.ts'

export const MINUTE_MS = 60_000

/** Minutes that lie between changed ones are counted once more if they hold at most so much: a batch costs 0.2 s, so many 0.1 s. */
const BETWEEN_RECORDS_MAX = 1_000
const BATCH_MS_MAX = 24 * 60 * MINUTE_MS

/** A range of whole minutes, and the spans and lines in it. */
export interface MinuteBatch extends MinuteRange {
  records: number
}

/**
 * Minutes that are counted together: as many as hold `recordsMax` spans and lines, so that a quiet day costs a few statements and
 * not one for each of its minutes. A minute that holds more is a batch of its own.
 * @param minutes to be counted, milliseconds since 1970
 * @param records by minute, also of those between
 */
export function batches(
  minutes: ReadonlySet<number>,
  records: ReadonlyMap<number, number>,
  recordsMax: number,
): MinuteBatch[] {
  const found: MinuteBatch[] = []
  let between = 0
  for (const minute of [...new Set([...minutes, ...records.keys()])].sort((a, b) => a - b)) {
    const held = records.get(minute) ?? 0
    if (!minutes.has(minute)) {
      between += held
      continue
    }
    const last = found.at(-1)
    const isNear = last && between <= BETWEEN_RECORDS_MAX && minute - last.since < BATCH_MS_MAX
    if (isNear && last.records + between + held <= recordsMax) {
      last.until = minute + MINUTE_MS
      last.records += between + held
    } else found.push({ since: minute, until: minute + MINUTE_MS, records: held })
    between = 0
  }
  return found
}
