import type { RiskTerm } from '../../model/risk.ts'
import { CAP_NATS } from './evidence.ts'

/** Days before fewer of which nobody can say what is much. */
const DAYS_MIN = 7
/** Makes the median of absolute deviations the standard deviation of what is normally distributed. */
const MAD_TO_DEVIATION = 1.4826
/** In natural logarithms: nobody's days are more alike than to a factor of 1.3. */
const DEVIATION_MIN = 0.25

/**
 * Evidence of volume: how many robust standard deviations the logarithm of a day's bytes is above the entity's own days, in nats of a
 * normal tail. What is less than usual says nothing: days end early.
 */
export function volumeTerms(bytes: number, before: readonly number[]): RiskTerm[] {
  if (before.length < DAYS_MIN) return []
  const logs = before.map((one) => Math.log1p(one))
  const middle = median(logs)
  const deviation = Math.max(DEVIATION_MIN, MAD_TO_DEVIATION * median(logs.map((one) => Math.abs(one - middle))))
  const above = Math.max(0, (Math.log1p(bytes) - middle) / deviation)
  if (above === 0) return []
  return [
    {
      ...{
        dimension: 'volume',
        value: 'bytes sent',
        times: bytes,
        seen_by_entity: Math.expm1(middle),
        seen_by_peers: null,
      },
      nats: Math.min(CAP_NATS, above ** 2 / 2),
    },
  ]
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]]
  return ((low ?? 0) + (high ?? 0)) / 2
}
