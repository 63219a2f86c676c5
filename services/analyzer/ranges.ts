/** A half-open range of time, milliseconds since 1970. */
export interface TimeRange {
  since: number
  until: number
}

/** Joins steps of time that follow each other into ranges. @param times beginnings of steps, in order */
export function ranges(times: Iterable<number>, stepMs: number, lengthMaxMs = Number.POSITIVE_INFINITY): TimeRange[] {
  const found: TimeRange[] = []
  for (const time of times) {
    const last = found.at(-1)
    if (last?.until === time && time - last.since < lengthMaxMs) last.until = time + stepMs
    else found.push({ since: time, until: time + stepMs })
  }
  return found
}
