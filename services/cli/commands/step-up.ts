import { readFileSync } from 'node:fs'
import { readSensitive } from '../../../policy-gen/step-up/read.ts'
import type { StepUpAnswer } from '../../api/step-up.ts'
import { CinchError } from '../../model/errors.ts'
import { type Command, table, toJson } from '../command.ts'
import { WINDOW } from '../options.ts'
import { checkOut, writeFiles } from '../policy-files.ts'
import { GENERATE } from './policies.ts'

export const stepUpCommand: Command = {
  name: 'policies step-up',
  usage: '[FILE] [options]',
  summary: 'which operations ask users for stronger or fresher authentication, and whom that would have prompted',
  options: {
    rare: {
      type: 'string',
      value: 'SHARE',
      help: "operations that at most this share of their callee's users used ask, too: 0.02 (default: none)",
    },
    out: { type: 'string', short: 'o', value: 'DIR', help: 'directory for the policies that ask: Istio, OPA' },
    ...(GENERATE['selector'] ? { selector: GENERATE['selector'] } : {}),
    ...WINDOW,
  },
  run: async ({ args, backend, print }) => {
    const [file, ...more] = args.positionals
    if (more.length > 0)
      throw new CinchError('usage', 'give one file of sensitive operations', 'cinch policies step-up sensitive.yaml')
    const out = args.text('out')
    if (out) checkOut(out)
    const [rare, selector] = [args.text('rare'), args.text('selector')]
    const answer = await (await backend()).stepUp({
      since: args.text('since'),
      until: args.text('until'),
      sensitive: file === undefined ? [] : readSensitive(contentOf(file), file),
      ...(rare === undefined ? {} : { rare: Number(rare) }),
      ...(selector === undefined ? {} : { selector }),
    })
    if (out) writeFiles(out, answer.files)
    print(args.flag('json') ? toJson(answer) : describe(answer, out))
    return 0
  },
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CinchError('bad_option', `${file} cannot be read: ${why}`, 'give a file of sensitive operations')
  }
}

const percent = (share: number) => `${(share * 100).toFixed(2)} %`
const count = (value: number) => value.toLocaleString('en')

function describe(
  { window, triggers, unasked, loss, by_session, ...sums }: StepUpAnswer,
  out: string | undefined,
): string {
  const rows = triggers.map((one) => [
    one.callee,
    one.method,
    one.path,
    one.acr,
    one.max_age_s === null ? 'any' : `${one.max_age_s} s`,
    one.requests,
    one.prompted,
    one.prompted_users,
    one.by_session ? `${one.by_session.prompted} of ${one.by_session.sessions}` : 'not told',
    one.uncertain,
    [...one.why, ...one.behind.map((name) => `for ${name}`)].join('; '),
  ])
  return [
    `${window.since} to ${window.until}: ${count(sums.prompted)} of ${count(sums.requests)} requests with a user (${percent(sums.share)}) would have met a challenge, of some ${count(sums.prompted_users)} of ${count(sums.users)} users`,
    ...sessionLines(by_session, window.since),
    ...(sums.uncertain > 0 ? [`of ${count(sums.uncertain)} more telemetry does not tell the level or the age`] : []),
    ...(rows.length > 0
      ? [
          table(
            ['callee', 'method', 'path', 'acr', 'age', 'requests', 'prompted', 'users', 'sessions', 'uncertain', 'why'],
            rows,
          ),
        ]
      : ['nothing is sensitive: give a FILE or --rare, or label workloads with their sensitivity']),
    ...unasked.map(({ operation, reason }) => `nobody is asked at ${operation}: ${reason}`),
    ...(loss.length > 0 ? [`${loss.length} losses, where a target cannot ask for it: see --json`] : []),
    ...(out ? [`policies in ${out}`] : []),
  ].join('\n')
}

function sessionLines(sessions: StepUpAnswer['by_session'], since: string): string[] {
  if (!sessions)
    return ['of sessions nothing is told: the requests of the window are not kept any more, or carried no user']
  const { sessions: all, prompted, uncertain, share, since: first, one_in, users } = sessions
  const later = Date.parse(first) - Date.parse(since) > DAY_MS ? `, counted from ${first} on` : ''
  const sample = one_in > 1 ? `, from one in ${one_in} of them` : ''
  const open = uncertain > 0 ? `; of ${count(uncertain)} it is not told` : ''
  return [
    `${percent(share)} of sessions (${count(prompted)} of ${count(all)}${later}${sample}) would have been prompted${open}`,
    ...(users.length > 0
      ? [
          `most often: ${users.map(({ issuer, subject, sessions: own }) => `${JSON.stringify(subject)} of ${JSON.stringify(issuer)} (${own})`).join(', ')}`,
        ]
      : []),
  ]
}

const DAY_MS = 86_400_000
