import type { Change, DirectoryLink } from '../../model/directory.ts'

const DAY_US = 24 * 3600e6

/** An operation is a machine's job once it has been doing it for a week; one that broke in yesterday has not. */
export const JOB_AGE_US = 7 * DAY_US
/** And has done it so often before. */
export const JOB_TIMES_MIN = 3

/**
 * Whether a change is a machine's usual one. Machines sign in nowhere: provisioning, synchronisation, the directory itself; what they may do is
 * what they were seen to do. Whoever is not named has no job.
 * @param watched_us since when the source tells anything: before a week of it nothing can be usual
 */
export function jobOf(change: Change, watched_us: number): DirectoryLink['job'] {
  if (change.actor_type === 'user' || change.actor_type === 'unknown') return ''
  if (change.before >= JOB_TIMES_MIN && change.time_us - change.first_us >= JOB_AGE_US) return 'known'
  return change.time_us - watched_us < JOB_AGE_US ? 'learning' : 'new'
}
