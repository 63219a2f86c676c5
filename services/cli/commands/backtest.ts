import { DAYS_DEFAULT, DAYS_MAX } from '../../api/backtest.ts'
import type { Backtest, CalleeConfidence } from '../../model/backtest.ts'
import { CinchError } from '../../model/errors.ts'
import { type Command, table, toJson } from '../command.ts'
import { GENERATE, generateOptions } from './policies.ts'

export const backtestCommand: Command = {
  name: 'policies backtest',
  usage: '[options]',
  summary: 'learn up to a day and replay that day, for each of the last days; exit 1 when something would be denied',
  options: {
    days: { type: 'string', value: 'N', help: `days to replay, the last of the window (default ${DAYS_DEFAULT})` },
    ...GENERATE,
  },
  run: async ({ args, backend, print }) => {
    const days = readDays(args.text('days'))
    const result = await (await backend()).backtest({ ...generateOptions(args), days })
    print(args.flag('json') ? toJson(result) : describe(result))
    return result.days.some(({ would_deny }) => would_deny > 0) ? 1 : 0
  },
}

function readDays(text: string | undefined): number {
  if (text === undefined) return DAYS_DEFAULT
  if (/^[0-9]{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= DAYS_MAX) return Number(text)
  throw new CinchError('bad_option', `--days ${text} is no number of days`, `give 1 to ${DAYS_MAX}`)
}

const percent = (share: number) => `${(share * 100).toFixed(2)} %`

function describe({ window, days, coverage, unseen, callees }: Backtest): string {
  const ready = callees.filter(({ verdict }) => verdict === 'ready').length
  const said = coverage
    ? `tomorrow at least ${percent(coverage.at_least)} of the requests are covered (right in ${Math.round(coverage.confidence * 100)} of 100 cases, if days stay as they are); expected ${percent(coverage.expected)}`
    : 'the window has one day: there is none to replay; observe longer'
  const rows = days.map((day) => [day.day, day.learned_days, day.requests, day.would_deny, day.uncertain])
  return [
    `${window.since} to ${window.until}`,
    ...(rows.length > 0 ? [table(['day', 'learned from days', 'requests', 'would be denied', 'uncertain'], rows)] : []),
    '',
    said,
    `${percent(unseen.share)} of the requests belong to ${unseen.permissions} permissions that one day alone showed`,
    '',
    `${ready} of ${callees.length} callees are ready`,
    table(['callee', 'verdict', 'why'], callees.map(row)),
  ].join('\n')
}

function row({ callee, verdict, reasons }: CalleeConfidence): string[] {
  return [callee, verdict.replaceAll('_', ' '), reasons.join('; ')]
}
