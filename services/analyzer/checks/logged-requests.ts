import { type Counted, defineCheck, tallyOf } from './check.ts'

/** Counters are read at intervals, so an hour's edge may stand in the next one: one in a hundred is that, more is missing. */
const MISSING_SHARE_MAX = 0.01
/** Fewer counted requests of a callee say nothing of a share of one in a hundred. */
const COUNTED_MIN = 100

export const loggedRequests = defineCheck({
  id: 'logged-requests',
  title: 'the access logs tell of every request that the proxies counted',
  unit: 'callees with counters',
  fault: 'have more requests counted than logged',
  severity: 'medium',
  seenMin: 1,
  blind: 'requests that neither a log nor a counter tells of; callees whose counters are not collected',
  fix: 'look for filters and sampling in the access log’s configuration, and for logs that do not arrive (cinch sources)',
  reads: ['completeness'],
  tally: ({ completeness }) =>
    tallyOf(
      completeness.map(({ callee, reporter, logs, metrics, missing }): Counted => {
        const note = `${logs.toLocaleString('en')} of ${Math.round(metrics).toLocaleString('en')} logged`
        const one = { subject: `${callee} (${reporter})`, place: callee, note, times: 1 }
        if (metrics < COUNTED_MIN) return { ...one, shows: 'untold' }
        return { ...one, shows: missing > MISSING_SHARE_MAX ? 'unmet' : 'met' }
      }),
    ),
})
