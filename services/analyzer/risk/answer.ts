import type { RiskAnswer, RiskKind, RiskReading } from '../../model/risk.ts'
import type { RiskDay } from '../../store/queries/risk-days.ts'
import { riskAt, termsAt } from './decay.ts'
import { levelOf, limitsOf, type Tails, UNCALIBRATED } from './job.ts'

/** What a kind that no telemetry tells of is answered. */
const UNSEEN = 'nothing that tells who it was came of it in the last ten days'

/**
 * The risk of an entity at a time, with what it is made of.
 * @param days what the last ten days were judged to be, the earliest first
 */
export function answerOf(kind: RiskKind, id: string, days: readonly RiskDay[], tails: Tails, atMs: number): RiskAnswer {
  const last = days.at(-1)
  if (!last) return unknown(kind, id, UNSEEN)
  const limits = limitsOf(tails)
  const vouched = Math.max(...days.map(({ vouched_ms }) => vouched_ms))
  const risk = (reading: RiskReading) => riskAt(days, reading, atMs, vouched)
  const risks = { whole: risk('whole'), added: risk('added') }
  const age = Math.max(0, Math.round((atMs - last.last_ms) / 1_000))
  const isAdded = limits !== undefined && risks.added / limits.added.medium > risks.whole / limits.whole.medium
  const reading = isAdded ? 'added' : 'whole'
  const why = last.is_known ? (limits ? '' : UNCALIBRATED) : last.why
  const rare = tails[reading].exceedance(risks[reading])
  return {
    ...{ kind, id, reading, why, maturity: last.maturity, age_s: age },
    level: last.is_known && limits ? levelOf(risks, limits) : 'UNKNOWN',
    score: risks[reading],
    // Both readings are looked at, so either of them may be what is rare.
    exceedance: rare === undefined ? null : Math.min(1, 2 * rare),
    terms: termsAt(days, reading, atMs, vouched),
  }
}

/** Neither strange nor usual: nobody knows. */
export function unknown(kind: RiskKind, id: string, why: string): RiskAnswer {
  return {
    ...{ kind, id, level: 'UNKNOWN', why, score: 0, reading: 'whole', exceedance: null, maturity: 0, terms: [] },
    age_s: null,
  }
}
