import { type Counted, defineCheck, tallyOf } from './check.ts'

/** Lines without a field, of a source: probes carry no trace context, and an upstream that resets has no status. */
const MISSING_SHARE_MAX = 0.01
/** Fewer lines of a source say nothing of a share of one in a hundred. */
const LINES_MIN = 100

export const logFields = defineCheck({
  id: 'log-fields',
  title: 'the lines of access logs have the fields of the Common Log Format, the caller’s identity and a trace id',
  unit: 'fields of sources',
  fault: 'are missing in more than one of a hundred lines',
  severity: 'low',
  seenMin: 1,
  blind:
    'the last day of a longer window is looked at; sizes of answers, which may be none; lines that became no fact (cinch rejects); what was cut out as a secret before it was stored',
  fix: 'cinch doctor says which configuration of the source adds the field',
  reads: ['fields'],
  tally: ({ fields }) =>
    tallyOf(
      fields.flatMap(({ source, sender, lines, ...shares }): Counted[] =>
        Object.entries(shares).map(([name, having]) => {
          const place = `${source} (${sender})`
          const note = `in ${having.toLocaleString('en')} of ${lines.toLocaleString('en')} lines`
          const one = { subject: `${place}: ${name}`, place, note, times: 1 }
          if (lines < LINES_MIN) return { ...one, shows: 'untold' }
          return { ...one, shows: lines - having > MISSING_SHARE_MAX * lines ? 'unmet' : 'met' }
        }),
      ),
    ),
})
