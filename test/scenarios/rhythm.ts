/**
 * When things happen, all in UTC. A rhythm is a relative intensity over time; the driver scales it so that a journey keeps
 * its share of the window.
 */
export const RHYTHMS = ['shopping', 'office', 'steady', 'nightly', 'month-end'] as const
export type Rhythm = (typeof RHYTHMS)[number]

export const MINUTE_MS = 60_000
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS

/** Customers: quiet at night, a lunch bump, a peak in the evening. One value an hour. */
const SHOPPING = [
  0.28, 0.18, 0.13, 0.1, 0.11, 0.16, 0.28, 0.45, 0.6, 0.7, 0.76, 0.84, 0.95, 0.9, 0.82, 0.8, 0.85, 0.95, 1.1, 1.3, 1.4,
  1.25, 0.9, 0.5,
]
/** Staff: working hours. */
const OFFICE = [
  0.01, 0, 0, 0, 0, 0.01, 0.1, 0.4, 0.9, 1, 1, 0.95, 0.6, 0.9, 1, 1, 0.85, 0.5, 0.2, 0.08, 0.04, 0.02, 0.02, 0.01,
]

/** Relative intensity of `rhythm` at `timeMs` (Unix milliseconds), 0 when nothing happens. */
export function intensity(rhythm: Rhythm, timeMs: number): number {
  switch (rhythm) {
    case 'steady':
      return 1
    case 'shopping':
      return hourly(SHOPPING, timeMs) * (isWeekend(timeMs) ? 1.25 : 1)
    case 'office':
      return hourly(OFFICE, timeMs) * (isWeekend(timeMs) ? 0.04 : 1)
    case 'nightly':
      return minuteOfDay(timeMs) >= 130 && minuteOfDay(timeMs) < 160 ? 1 : 0
    case 'month-end':
      return isLastDayOfMonth(timeMs) && minuteOfDay(timeMs) >= 22 * 60 && minuteOfDay(timeMs) < 23 * 60 ? 1 : 0
  }
}

function hourly(curve: number[], timeMs: number): number {
  const hours = minuteOfDay(timeMs) / 60
  const hour = Math.floor(hours)
  const here = curve[hour] ?? 0
  const next = curve[(hour + 1) % 24] ?? 0
  return here + (next - here) * (hours - hour)
}

export function minuteOfDay(timeMs: number): number {
  return Math.floor((timeMs % DAY_MS) / MINUTE_MS)
}

function isWeekend(timeMs: number): boolean {
  const day = new Date(timeMs).getUTCDay()
  return day === 0 || day === 6
}

export function isLastDayOfMonth(timeMs: number): boolean {
  return new Date(timeMs + DAY_MS).getUTCDate() === 1
}
