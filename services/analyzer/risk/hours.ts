import type { Histogram } from './evidence.ts'

/** Hours of the week, from Monday, 00:00 UTC on. */
const WEEK_HOURS = 168
const DAY_HOURS = 24
/** What an hour and its neighbours have of each sighting: a habit at nine is one at ten, too, by half. */
const KERNEL = [
  [-1, 0.25],
  [0, 0.5],
  [1, 0.25],
] as const
/** As much is taken from the same hour of all days: a week is a long time to learn from. */
const SAME_HOUR_SHARE = 0.5

/** Sightings by the hour of the week, spread over what is alike; their sum stays. */
export function smoothHours({ total, counts }: Histogram): Histogram {
  const at = (hour: number) => counts.get(String((hour + WEEK_HOURS) % WEEK_HOURS)) ?? 0
  const daily = Array.from({ length: DAY_HOURS }, (_, hour) => {
    const days = Array.from({ length: WEEK_HOURS / DAY_HOURS }, (_, day) => at(day * DAY_HOURS + hour))
    return days.reduce((sum, count) => sum + count, 0) / days.length
  })
  const spread = Array.from({ length: WEEK_HOURS }, (_, hour): [string, number] => {
    const near = KERNEL.reduce((sum, [offset, weight]) => sum + weight * at(hour + offset), 0)
    return [String(hour), (1 - SAME_HOUR_SHARE) * near + SAME_HOUR_SHARE * (daily[hour % DAY_HOURS] ?? 0)]
  })
  return { total, counts: new Map(spread) }
}
