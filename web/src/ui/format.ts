const whole = new Intl.NumberFormat('en-GB')
const short = new Intl.NumberFormat('en-GB', { notation: 'compact', maximumFractionDigits: 1 })

/** `1234567` as `1,234,567`. */
export function count(value: number): string {
  return whole.format(value)
}

/** `1234567` as `1.2M`, where there is no room for more. */
export function briefly(value: number): string {
  return short.format(value)
}

/** `1 call`, `2 calls`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** An ISO 8601 time as `2026-01-31 08:05`, in UTC; a dash when there is none. */
export function time(iso: string | null | undefined): string {
  if (!iso || Number.isNaN(Date.parse(iso))) return '–'
  return new Date(iso).toISOString().slice(0, 16).replace('T', ' ')
}

/** A port, or a dash when it is not known (0). */
export function port(value: number): string {
  return value === 0 ? '–' : String(value)
}
