import type { Attestation } from '../../model/attestation.ts'
import type { Assessment, CheckResult, Requirement, SubjectTally, Tally, Tuning } from '../../model/check.ts'
import { CinchError } from '../../model/errors.ts'
import type { Window } from '../../store/queries/rollups.ts'
import { type Check, type Facts, textOf } from './check.ts'
import { CHECKS } from './index.ts'
import { REQUIREMENTS } from './requirements.ts'
import { tune } from './tune.ts'
import { resultOf, verdictOf, whyOf } from './verdict.ts'

/** Places that one check lists; how many more there are is told. */
const SAMPLES_MAX = 10

/** How each of the facts is read; a reader is asked at most once. */
export type Readers = { [Name in keyof Facts]: () => Promise<Facts[Name]> }

/** A check, and what it counted. */
export interface Counting {
  check: Check
  tally: Tally
}

/** What an assessment is of: the requirements that are asked for, and what their checks counted. */
export interface Counted {
  window: Window
  requirements: readonly Requirement[]
  countings: readonly Counting[]
}

/**
 * Runs the checks of a requirement, or all of them. One after the other: each asks the engine for a window of rollups.
 * @param asked id of a requirement; empty for all
 * @throws CinchError `not_found`
 */
export async function count(window: Window, readers: Readers, asked = ''): Promise<Counted> {
  const requirements = requirementsOf(asked)
  const needed = new Set(requirements.flatMap(({ checks }) => checks))
  const read = new Map<keyof Facts, unknown>()
  const countings: Counting[] = []
  for (const check of CHECKS) {
    if (!needed.has(check.id)) continue
    for (const name of check.reads) if (!read.has(name)) read.set(name, await readers[name]())
    // What a check names is read by now, and it is given no type for more.
    countings.push({ check, tally: check.tally(Object.fromEntries(read) as unknown as Facts) })
  }
  return { window, requirements, countings }
}

/** What people said that verdicts heed, and when they are given: ISO 8601. */
export interface Said {
  /** Of findings that were none. */
  tunings: readonly Tuning[]
  attestations: readonly Attestation[]
  at: string
}

/** Verdicts on what was counted. */
export function assess({ window, requirements, countings }: Counted, { tunings, attestations, at }: Said): Assessment {
  const checks = countings.map(({ check, tally }) => resultOfCheck(check, tally, window, tunings))
  const given = new Map(attestations.map((attestation) => [attestation.requirement, attestation]))
  return {
    window,
    requirements: requirements.map((requirement) => {
      const attestation = given.get(requirement.id)
      if (!attestation) return resultOf(requirement, checks)
      const expired = attestation.until <= at
      const result = resultOf(requirement, checks, expired ? undefined : attestation)
      return { ...result, attestation: { ...attestation, expired } }
    }),
    checks,
  }
}

export function requirementsOf(asked: string): readonly Requirement[] {
  if (asked === '') return REQUIREMENTS
  const found = REQUIREMENTS.filter(({ id }) => id.toLowerCase() === asked.toLowerCase())
  if (found.length === 0)
    throw new CinchError('not_found', `there is no requirement '${asked}'`, 'see cinch check for their ids')
  return found
}

export function resultOfCheck(
  check: Check,
  counted: Tally,
  window: Window,
  tunings: readonly Tuning[] = [],
): CheckResult {
  const own = tunings.filter((tuning) => tuning.check === check.id)
  const { tally, tuned } = tune(counted, own)
  const { subjects, ...counts } = tally
  const samples = samplesOf(subjects)
  return {
    id: check.id,
    title: check.title,
    verdict: verdictOf(counts, check),
    why: whyOf(counts, check, tuned),
    evidence: {
      queries: [...check.reads],
      parameters: window,
      counts,
      samples: samples.slice(0, SAMPLES_MAX),
      left_out: Math.max(0, samples.length - SAMPLES_MAX),
    },
    tuned,
    blind: check.blind,
    fix: check.fix,
  }
}

/** The names of those that show the contrary, or, without any, of those that are not told; the most frequent first. */
function samplesOf(subjects: readonly SubjectTally[]): string[] {
  const which = subjects.some(({ unmet }) => unmet > 0) ? 'unmet' : 'untold'
  return subjects
    .filter((one) => one[which] > 0)
    .sort((a, b) => b[which] - a[which] || (a.subject < b.subject ? -1 : 1))
    .map(textOf)
}
