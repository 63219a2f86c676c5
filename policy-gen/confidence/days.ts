const DAY_MS = 86_400_000

/** UTC days that overlap a half-open window, in order: their dates, and where each begins and ends within the window. */
export function daysOf(window: { since: string; until: string }): { day: string; since: string; until: string }[] {
  const end = Date.parse(window.until)
  const days = []
  for (let at = Date.parse(window.since); at < end; ) {
    const next = Math.min((Math.floor(at / DAY_MS) + 1) * DAY_MS, end)
    days.push({ day: new Date(at).toISOString().slice(0, 10), since: iso(at), until: iso(next) })
    at = next
  }
  return days
}

/** Whole days from one time to a later one. */
export function daysBetween(from: string, to: string): number {
  return Math.floor((Date.parse(to) - Date.parse(from)) / DAY_MS)
}

/** Whether a day is the last of its month. */
export function isMonthEnd(day: string): boolean {
  return new Date(Date.parse(day) + DAY_MS).getUTCDate() === 1
}

const iso = (time: number) => new Date(time).toISOString().replace('.000Z', 'Z')
