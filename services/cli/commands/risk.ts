import type { AskedRisk } from '../../api/risk.ts'
import { CinchError } from '../../model/errors.ts'
import { RISK_KINDS, type RiskAnswer, type RiskKind, type RiskTerm } from '../../model/risk.ts'
import { authorOf, WHY } from '../author.ts'
import type { Backend } from '../backend.ts'
import { type Command, table, toJson } from '../command.ts'
import type { Arguments, Options } from '../options.ts'
import { printable } from '../printable.ts'

const KIND: Options = {
  kind: {
    type: 'string',
    value: 'KIND',
    help: `one of ${RISK_KINDS.join(', ')} (default: what the subject looks like)`,
  },
}

export const riskCommand: Command = {
  name: 'risk',
  usage: 'SUBJECT [--kind KIND] [--at T]',
  summary: 'how far what a user or workload does is from what it usually does: score, level, and why; exit 1 at MEDIUM',
  options: { ...KIND, at: { type: 'string', value: 'T', help: 'when (default: now)' } },
  run: async ({ args, backend, print }) => {
    const open = await backend()
    const answer = await open.risk.of(await subjectOf(args, open), args.text('at'))
    print(args.flag('json') ? toJson(answer) : describe(answer))
    return answer.level === 'MEDIUM' || answer.level === 'HIGH' ? 1 : 0
  },
}

export const vouchCommand: Command = {
  name: 'risk vouch',
  usage: 'SUBJECT --why TEXT [--kind KIND]',
  summary: 'clears a user or workload: what it did until now counts no more, and is learned from',
  options: { ...KIND, ...WHY },
  run: async ({ args, backend, print }) => {
    const by = authorOf(args)
    const open = await backend()
    const answer = await open.risk.vouch(await subjectOf(args, open), by)
    print(args.flag('json') ? toJson(answer) : describe(answer))
    return 0
  },
}

/** Whom a subject means: a workload by its SPIFFE id, a user by issuer and subject, or by the subject where it has one issuer only. */
async function subjectOf(args: Arguments, { risk }: Backend): Promise<AskedRisk> {
  const [subject, ...more] = args.positionals
  if (subject === undefined || more.length > 0)
    throw new CinchError('usage', 'give one subject', "cinch risk alice, or cinch risk 'https://id.example alice'")
  const id = subject.replace(/^spiffe:\/\//, '')
  const kind = kindOf(args.text('kind'), id)
  if (kind !== 'user' || id.includes(' ')) return { kind, id }
  const ids = await risk.named(kind, id)
  if (ids.length > 1)
    throw new CinchError(
      'bad_option',
      `${printable(id)} is a user of ${ids.length} issuers`,
      `give one of: ${ids.map((one) => `'${printable(one)}'`).join(', ')}`,
    )
  return { kind, id: ids[0] ?? id }
}

function kindOf(asked: string | undefined, id: string): RiskKind {
  if (asked === undefined) return /^[^/ ]+\/ns\//.test(id) ? 'workload' : 'user'
  const kind = RISK_KINDS.find((one) => one === asked)
  if (!kind) throw new CinchError('bad_option', `--kind ${asked} is none`, `give one of ${RISK_KINDS.join(', ')}`)
  return kind
}

const nats = (value: number) => value.toFixed(2)

function describe({ kind, id, level, why, score, exceedance, reading, terms, age_s }: RiskAnswer): string {
  const seen = age_s === null ? '' : `, last seen ${age_s.toLocaleString('en')} s before`
  const rare = exceedance === null ? '' : `; ${share(exceedance)} of the days of such entities reach this`
  const of = reading === 'whole' ? 'all that it did' : 'what it did beside what is usual'
  return [
    `${kind} ${printable(id)}: ${level}${why ? ` (${why})` : ''}${seen}`,
    ...(terms.length > 0 ? [`${nats(score)} nats by ${of}${rare}`, '', termTable(terms)] : []),
  ].join('\n')
}

const share = (part: number) =>
  part >= 0.001 ? `${(100 * part).toFixed(1)} %` : `${(1e6 * part).toFixed(0)} in a million`

function termTable(terms: readonly RiskTerm[]): string {
  const rows = terms.map((term) => [
    nats(term.nats),
    term.dimension,
    term.value,
    String(term.times),
    term.seen_by_entity < 0.5 ? 'never' : `${Math.round(term.seen_by_entity)} times`,
    term.seen_by_peers === null ? '-' : `${Math.round(100 * term.seen_by_peers)} %`,
  ])
  return table(['nats', 'dimension', 'value', 'times', 'before', 'peers'], rows)
}
