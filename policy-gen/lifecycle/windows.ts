import { PolicyError } from '../errors.ts'

/** Names of `Date.getUTCDay`. */
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const
export const CHANGE_WINDOWS_MAX = 50

/** When a promotion may happen: some days of the week, from a minute of the day to another, UTC. */
interface ChangeWindow {
  days: ReadonlySet<number>
  from: number
  to: number
}

/**
 * Reads a change window such as `Mon-Thu 09:00-16:00` or `Sat,Sun 22:00-24:00`, UTC.
 *
 * @throws PolicyError `bad_option`
 */
export function readChangeWindow(text: string): ChangeWindow {
  const [, days = '', ...time] = /^([A-Za-z,-]+) (\d\d):([0-5]\d)-(\d\d):([0-5]\d)$/.exec(text) ?? []
  const [fromHour = 0, fromMinute = 0, toHour = 0, toMinute = 0] = time.map(Number)
  const [from, to] = [fromHour * 60 + fromMinute, toHour * 60 + toMinute]
  const set = daysIn(days)
  if (time.length === 4 && set && from < to && to <= 24 * 60) return { days: set, from, to }
  throw new PolicyError(
    'bad_option',
    `${JSON.stringify(text)} is no change window; give one such as 'Mon-Thu 09:00-16:00' (UTC)`,
  )
}

function daysIn(text: string): Set<number> | null {
  const found = new Set<number>()
  for (const part of text.split(',')) {
    const ends = part.split('-').map((name) => (DAYS as readonly string[]).indexOf(name))
    const [first = -1, last = first] = ends
    if (first < 0 || last < 0 || ends.length > 2) return null
    for (let day = first; ; day = (day + 1) % DAYS.length) {
      found.add(day)
      if (day === last) break
    }
  }
  return found
}

/** True when one of the windows is open at the moment; without any, it always is. */
export function isOpen(windows: readonly string[], at: string): boolean {
  if (windows.length === 0) return true
  const time = new Date(at)
  const minute = time.getUTCHours() * 60 + time.getUTCMinutes()
  return windows
    .map(readChangeWindow)
    .some(({ days, from, to }) => days.has(time.getUTCDay()) && minute >= from && minute < to)
}
