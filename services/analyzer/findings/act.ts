import { CinchError } from '../../model/errors.ts'
import type { Finding, FindingAct, FindingState, FindingWord } from '../../model/finding.ts'
import { asOf } from './keep.ts'

/** An acceptance is given for so long at most: then it is looked at again. */
export const ACCEPTED_DAYS_MAX = 366
const DAY_MS = 86_400_000

/** In which states an act makes sense. */
const FROM: Record<FindingAct['act'], readonly FindingState[]> = {
  acknowledge: ['open'],
  accept: ['open', 'acknowledged', 'accepted'],
  false: ['open', 'acknowledged', 'accepted'],
  reopen: ['acknowledged', 'accepted', 'false'],
}

/**
 * What a person says of a finding.
 * @throws CinchError `step_refused` where it does not fit the finding's state, `bad_option` for an end that is past or too far
 */
export function actOn(finding: Finding, act: FindingAct, by: { who: string; why: string }, at: string): FindingWord {
  const { state } = asOf(finding, at)
  if (!FROM[act.act].includes(state))
    throw new CinchError(
      'step_refused',
      `the finding is ${state}: ${act.act} is not for it`,
      state === 'resolved' ? 'it opens by itself when it is seen again' : 'see cinch findings show ID',
    )
  const word = { ...by, at, owner: '', until: '', tolerated: 0 }
  switch (act.act) {
    case 'acknowledge':
      return { ...word, state: 'acknowledged' }
    case 'accept':
      return { ...word, state: 'accepted', owner: act.owner, until: endOf(act.until, at, ACCEPTED_DAYS_MAX) }
    case 'false':
      return { ...word, state: 'false', tolerated: finding.share }
    case 'reopen':
      return { ...word, state: 'open' }
  }
}

/** The end of what somebody answers for. @throws CinchError `bad_option` */
export function endOf(until: string, at: string, daysMax: number): string {
  const end = Date.parse(until)
  if (!(end > Date.parse(at)) || end > Date.parse(at) + daysMax * DAY_MS)
    throw new CinchError(
      'bad_option',
      `'${until}' is no end: it must be later than now, by ${daysMax} days at most`,
      'give an ISO 8601 time such as 2027-01-31',
    )
  return new Date(end).toISOString()
}
