import type { Attestation } from '../../model/attestation.ts'
import type { VerdictDay } from '../../model/check.ts'
import { CinchError } from '../../model/errors.ts'
import { authorOf, WHY } from '../author.ts'
import { type Command, table, toJson } from '../command.ts'

export const attestCommand: Command = {
  name: 'check attest',
  usage: '[ID --owner NAME --until T --why TEXT | ID --withdraw --why TEXT]',
  summary: 'answer for what no telemetry shows of a requirement, until a day; without an ID, what is answered for',
  options: {
    ...WHY,
    owner: { type: 'string', value: 'NAME', help: 'who answers for it' },
    until: { type: 'string', value: 'T', help: 'until when, ISO 8601; a year at most' },
    withdraw: { type: 'boolean', help: 'nobody answers for it any more' },
  },
  run: async ({ args, backend, print }) => {
    const [requirement, ...more] = args.positionals
    if (more.length > 0) throw new CinchError('usage', 'give one requirement', 'see cinch check for their ids')
    const show = (given: Attestation[]) => print(args.flag('json') ? toJson({ attestations: given }) : tableOf(given))
    if (requirement === undefined) {
      show(await (await backend()).attestations.list())
      return 0
    }
    const by = authorOf(args)
    const { attestations } = await backend()
    if (args.flag('withdraw')) {
      await attestations.withdraw(requirement, by)
      print(args.flag('json') ? toJson({ withdrawn: requirement }) : `nobody answers for ${requirement} any more`)
      return 0
    }
    const asked = { owner: args.text('owner') ?? '', until: args.text('until') ?? '' }
    show([await attestations.attest(requirement, asked, by)])
    return 0
  },
}

export const trendCommand: Command = {
  name: 'check trend',
  usage: '[--requirement ID] [--since T]',
  summary: 'verdicts by the day, as the service kept them: since when each requirement has the one that it has',
  options: {
    requirement: { type: 'string', short: 'r', value: 'ID', help: 'this one only' },
    since: { type: 'string', value: 'T', help: 'ISO 8601, or a span back from now (default: 30d)' },
  },
  run: async ({ args, backend, print }) => {
    const asked = { requirement: args.text('requirement'), since: args.text('since') }
    const days = await (await backend()).trend(asked)
    print(args.flag('json') ? toJson({ days }) : changesOf(days))
    return 0
  },
}

function tableOf(attestations: readonly Attestation[]): string {
  if (attestations.length === 0) return 'nobody answers for anything'
  return table(
    ['requirement', 'owner', 'until', 'who', 'at', 'why'],
    attestations.map(({ requirement, owner, until, who, at, why }) => [
      ...[requirement, owner, until.slice(0, 16), who, at.slice(0, 16), why],
    ]),
  )
}

/** A row for each change: days with the same verdict are one. */
function changesOf(days: readonly VerdictDay[]): string {
  const rows = days.flatMap(({ requirement, day, verdict }, at) => {
    const before = days[at - 1]
    const isSame = before?.requirement === requirement && before.verdict === verdict
    return isSame ? [] : [[requirement, day, verdict.replaceAll('_', ' ')]]
  })
  return rows.length === 0
    ? 'no verdicts are kept yet: a service keeps them'
    : table(['requirement', 'from', 'verdict'], rows)
}
