import type { DirectoryLink } from '../../model/directory.ts'
import { type Counted, defineCheck, tallyOf } from './check.ts'

/** Grades from which on a change belongs to an access: the same actor, client and address within a session. */
const GRADE_MIN = 2

export const linkedChanges = defineCheck({
  id: 'linked-changes',
  title: 'every change in a directory belongs to an access that was seen, or is a known job of a machine',
  unit: 'changes in directories',
  fault: 'belong to no access that was seen',
  severity: 'high',
  // Of fewer, one in seven could belong to none, with 95 % confidence (rule of three).
  seenMin: 20,
  blind:
    'directories whose events do not come; changes whose actor only signed in recently are told neither way; whether the access was meant for the change; tickets and change windows, which are for people to say (cinch findings accept)',
  fix: 'cinch directory --links names each; ask the actor, and have the system send session or transaction ids',
  reads: ['changes'],
  tally: ({ changes }) =>
    tallyOf(
      changes.map((link): Counted => {
        const { change } = link
        const actor = change.actor_name || change.actor_id || '?'
        const time = new Date(change.time_us / 1_000).toISOString()
        return {
          ...{ subject: `${change.source}: ${actor} ${change.action}`, place: change.source, times: 1 },
          ...{ shows: shownBy(link), seen: { first_seen: time, last_seen: time } },
        }
      }),
    ),
})

function shownBy({ linked, grade, job }: DirectoryLink): Counted['shows'] {
  if (grade >= GRADE_MIN || job === 'known') return 'met'
  // Nobody knows yet what a machine usually does, and a sign-in of the day is little to go by.
  return linked || job === 'learning' ? 'untold' : 'unmet'
}
