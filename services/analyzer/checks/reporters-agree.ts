import { type Counted, defineCheck, tallyOf } from './check.ts'

/** Requests that never reached the callee are in the caller's log only: of a callee that is up these are few. */
const MISSING_SHARE_MAX = 0.05
/** Fewer requests of a pair say nothing of a share of one in twenty. */
const REQUESTS_MIN = 100

export const reportersAgree = defineCheck({
  id: 'reporters-agree',
  title: 'callees’ logs tell of the requests that their callers’ logs tell of',
  unit: 'pairs that both ends report',
  fault: 'have more requests in the caller’s log than in the callee’s',
  severity: 'medium',
  seenMin: 1,
  blind:
    'pairs of which one end alone reports; requests that neither end logs; callees that were down for more than one of twenty requests, which look alike; retries, of which the callee logs each',
  fix: 'look for filters and sampling in the callee’s access log, and for logs that do not arrive (cinch sources)',
  reads: ['both_ends'],
  tally: ({ both_ends }) =>
    tallyOf(
      both_ends.map(({ caller, callee, by_caller, by_callee }): Counted => {
        const note = `${by_callee.toLocaleString('en')} of ${by_caller.toLocaleString('en')} logged by the callee`
        const one = { subject: `${caller} -> ${callee}`, place: callee, note, times: 1 }
        if (by_caller < REQUESTS_MIN) return { ...one, shows: 'untold' }
        return { ...one, shows: by_caller - by_callee > MISSING_SHARE_MAX * by_caller ? 'unmet' : 'met' }
      }),
    ),
})
