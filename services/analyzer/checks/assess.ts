import type { Assessment, CheckResult, Requirement } from '../../model/check.ts'
import { CinchError } from '../../model/errors.ts'
import type { Window } from '../../store/queries/rollups.ts'
import type { Check, Facts } from './check.ts'
import { CHECKS } from './index.ts'
import { REQUIREMENTS } from './requirements.ts'
import { resultOf, verdictOf, whyOf } from './verdict.ts'

/** Places that one check lists; how many more there are is told. */
const SAMPLES_MAX = 10

/** How each of the facts is read; a reader is asked at most once. */
export type Readers = { [Name in keyof Facts]: () => Promise<Facts[Name]> }

/**
 * Runs the checks of a requirement, or all of them. One after the other: each asks the engine for a window of rollups.
 * @param asked id of a requirement; empty for all
 * @throws CinchError `not_found`
 */
export async function assess(window: Window, readers: Readers, asked = ''): Promise<Assessment> {
  const requirements = requirementsOf(asked)
  const needed = new Set(requirements.flatMap(({ checks }) => checks))
  const read = new Map<keyof Facts, unknown>()
  const checks: CheckResult[] = []
  for (const check of CHECKS) {
    if (!needed.has(check.id)) continue
    for (const name of check.reads) if (!read.has(name)) read.set(name, await readers[name]())
    // What a check names is read by now, and it is given no type for more.
    checks.push(resultOfCheck(check, Object.fromEntries(read) as unknown as Facts, window))
  }
  return { window, requirements: requirements.map((requirement) => resultOf(requirement, checks)), checks }
}

function requirementsOf(asked: string): readonly Requirement[] {
  if (asked === '') return REQUIREMENTS
  const found = REQUIREMENTS.filter(({ id }) => id.toLowerCase() === asked.toLowerCase())
  if (found.length === 0)
    throw new CinchError('not_found', `there is no requirement '${asked}'`, 'see cinch check for their ids')
  return found
}

export function resultOfCheck(check: Check, facts: Facts, window: Window): CheckResult {
  const { samples, ...counts } = check.tally(facts)
  return {
    id: check.id,
    title: check.title,
    verdict: verdictOf(counts, check),
    why: whyOf(counts, check),
    evidence: {
      queries: [...check.reads],
      parameters: window,
      counts,
      samples: samples.slice(0, SAMPLES_MAX),
      left_out: Math.max(0, samples.length - SAMPLES_MAX),
    },
    blind: check.blind,
    fix: check.fix,
  }
}
