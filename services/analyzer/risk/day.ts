import type { RiskTerm } from '../../model/risk.ts'
import type { ActivityRow } from '../../store/queries/activity.ts'
import { type Histogram, histogram, type Known, termsOf } from './evidence.ts'
import { smoothHours } from './hours.ts'
import { volumeTerms } from './volume.ts'

type Counted = Pick<ActivityRow, 'dimension' | 'value' | 'times'>

/** Sightings by dimension. */
export type Profile = ReadonlyMap<string, Histogram>

/** Dimensions of which a value says something of those beside it. */
const SMOOTHED: Record<string, (seen: Histogram) => Histogram> = { hour: smoothHours }
const NOTHING: Histogram = { total: 0, counts: new Map() }

export function profileOf(rows: readonly Counted[]): Profile {
  const found = new Map<string, Histogram>()
  for (const [dimension, ofOne] of Map.groupBy(rows, (row) => row.dimension)) {
    const seen = histogram(ofOne.map(({ value, times }) => [value, times] as const))
    found.set(dimension, SMOOTHED[dimension]?.(seen) ?? seen)
  }
  return found
}

/** What is known of an entity before a day. */
export interface Background {
  own: Profile
  /** Of all of its kind, itself with them. */
  all: Profile
  /** Bytes that were sent to it, by the day. */
  volumes: readonly number[]
}

/** The evidence of a day. @param seen what the entity did, and the bytes that were sent to it */
export function evidenceOf(seen: { rows: readonly Counted[]; bytes: number }, background: Background): RiskTerm[] {
  const terms = [...Map.groupBy(seen.rows, (row) => row.dimension)].flatMap(([dimension, rows]) => {
    const known: Known = {
      own: background.own.get(dimension) ?? NOTHING,
      all: background.all.get(dimension) ?? NOTHING,
    }
    return termsOf(dimension, histogram(rows.map(({ value, times }) => [value, times] as const)).counts, known)
  })
  return [...terms, ...volumeTerms(seen.bytes, background.volumes)]
}
