import type { Attestation } from '../../model/attestation.ts'
import type { AppliedTuning, CheckResult, Counts, Requirement, RequirementResult } from '../../model/check.ts'
import type { Check } from './check.ts'

/** With none of a hundred showing the contrary, at most some 3 % of all do, with 95 % confidence (rule of three: Hanley, Lippman-Hand 1983). */
export const SEEN_MIN = 100
/** One in a thousand may be untold: lines that came twice, or whose partner was cut. More of them could hide a caller. */
export const UNTOLD_SHARE_MAX = 0.001

type Bounds = Pick<Check, 'seenMin' | 'unmetShareMax'>

/** One that shows the contrary is a no, however little else came; a yes takes enough that show it, and hardly any that are not told. */
export function verdictOf({ met, unmet, untold }: Counts, bounds: Bounds = {}): CheckResult['verdict'] {
  if (unmet > (bounds.unmetShareMax ?? 0) * (met + unmet)) return 'not_met'
  if (met < (bounds.seenMin ?? SEEN_MIN)) return 'not_enough_data'
  return untold > UNTOLD_SHARE_MAX * (met + unmet + untold) ? 'not_enough_data' : 'met'
}

const count = (value: number) => value.toLocaleString('en')

export function whyOf(counts: Counts, check: Check, tuned: readonly Pick<AppliedTuning, 'left_out'>[] = []): string {
  const leftOut = tuned.reduce((sum, { left_out }) => sum + left_out, 0)
  const note = leftOut > 0 ? `; ${count(leftOut)} are left out, for people said that they are none` : ''
  return plainWhy(counts, check) + note
}

function plainWhy({ met, unmet, untold }: Counts, check: Check): string {
  const { unit, fault, seenMin = SEEN_MIN } = check
  const all = count(met + unmet + untold)
  switch (verdictOf({ met, unmet, untold }, check)) {
    case 'not_met':
      return `${count(unmet)} of ${all} ${unit} ${fault}`
    case 'met':
      return unmet === 0 ? `none of ${all} ${unit} ${fault}` : `only ${count(unmet)} of ${all} ${unit} ${fault}`
    default:
      return met < seenMin
        ? `${count(met)} ${unit} show it, and ${count(seenMin)} are asked for${untold > 0 ? `; of ${count(untold)} nobody tells` : ''}`
        : `of ${count(untold)} of ${all} ${unit} nobody tells`
  }
}

/**
 * A requirement is as good as the worst of its checks, and never met where a part of it is not looked at. Somebody may answer for that
 * part, or for what no telemetry shows; for nothing that is measured.
 * @param attestation who does; undefined where nobody does, or does no more
 */
export function resultOf(
  requirement: Requirement,
  results: readonly CheckResult[],
  attestation?: Pick<Attestation, 'owner' | 'until' | 'why'>,
): RequirementResult {
  const { checks, lacks, not_observable } = requirement
  const answered = attestation && `${attestation.owner} answers for it until ${attestation.until}: ${attestation.why}`
  if (not_observable !== undefined)
    return answered
      ? { ...requirement, verdict: 'attested', why: answered }
      : { ...requirement, verdict: 'not_observable', why: not_observable }
  const own = results.filter(({ id }) => checks.includes(id))
  const worst = (verdict: CheckResult['verdict']) => own.filter((result) => result.verdict === verdict)
  const because = (of: CheckResult[]) => of.map(({ why }) => why).join('; ')
  const failed = worst('not_met')
  if (failed.length > 0) return { ...requirement, verdict: 'not_met', why: because(failed) }
  const unknown = worst('not_enough_data').map(({ why }) => why)
  const unseen = lacks !== undefined && !answered ? [`not looked at: ${lacks}`] : []
  const missing = [...unknown, ...unseen]
  if (missing.length > 0 || (own.length === 0 && !answered))
    return { ...requirement, verdict: 'not_enough_data', why: missing.join('; ') || 'no check looks at it' }
  if (lacks !== undefined && answered) {
    const measured = own.length === 0 ? '' : `${because(own)}; `
    return { ...requirement, verdict: 'attested', why: `${measured}not looked at: ${lacks}; ${answered}` }
  }
  return { ...requirement, verdict: 'met', why: because(own) }
}
