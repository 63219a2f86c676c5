import type { AppliedTuning, SubjectTally, Tally, Tuning } from '../../model/check.ts'

/** The share of what is told of a subject that shows the contrary. */
export const shareOf = ({ met, unmet }: Pick<SubjectTally, 'met' | 'unmet'>) =>
  met + unmet === 0 ? 0 : unmet / (met + unmet)

/**
 * A tally without what people said is no fault: at each subject of theirs so much as they saw, and not more. What is left out shows
 * neither way, so that a requirement cannot become met by it alone.
 */
export function tune(tally: Tally, tunings: readonly Tuning[]): { tally: Tally; tuned: AppliedTuning[] } {
  const bySubject = new Map(tunings.map((tuning) => [tuning.subject, tuning]))
  let unmet = tally.unmet
  let most = 0
  const leftOut = new Map<Tuning, number>()
  const subjects = tally.subjects.map((one) => {
    const tuning = bySubject.get(one.subject)
    if (!tuning || shareOf(one) > tuning.tolerated) {
      most = Math.max(most, one.unmet)
      return one
    }
    unmet -= one.unmet
    leftOut.set(tuning, one.unmet)
    return { ...one, unmet: 0 }
  })
  return {
    // What is counted once may show at several subjects (a chain that breaks twice): what is left of them is left of the sum.
    tally: { ...tally, unmet: Math.max(unmet, Math.min(most, tally.unmet)), subjects },
    tuned: tunings.map(({ check: _, ...tuning }, at) => ({
      ...tuning,
      left_out: leftOut.get(tunings[at] as Tuning) ?? 0,
    })),
  }
}
