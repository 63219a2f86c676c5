import type { SourceListing } from '../../api/freshness.ts'
import { CinchError } from '../../model/errors.ts'
import { type Command, table, toJson } from '../command.ts'
import { printable } from '../printable.ts'

export const sourcesCommand: Command = {
  name: 'sources',
  usage: '',
  summary: 'the sources, what each tells, and what came from it',
  options: {},
  run: async ({ args, backend, print }) => {
    const sources = await (await backend()).sources()
    if (args.flag('json')) print(toJson({ sources }))
    else {
      print(
        table(
          ['source', 'facts', 'rejected', 'last seen'],
          sources.map((source) => [source.id, source.facts, source.rejected, source.last_seen || '-']),
        ),
      )
      const streams = sources.flatMap((source) => source.streams.map((stream) => ({ source: source.id, ...stream })))
      if (streams.length > 0) print(`\n${streamTable(streams)}`)
      for (const { source, sender, quiet_s, usual_gap_s } of streams.filter(({ state }) => state === 'silent'))
        print(
          `\n${printable(sender)} has fallen silent: no ${source} for ${span(quiet_s)}, where one comes every ${span(usual_gap_s)}`,
        )
      for (const source of sources)
        print(
          `\n${[source.id, ...source.aliases].join(' = ')}: ${source.title}\n  tells: ${source.tells}\n  cannot tell: ${source.cannot_tell}`,
        )
    }
    return 0
  },
}

/** What came from whom, and how fresh it is. */
function streamTable(streams: ({ source: string } & SourceListing['streams'][number])[]): string {
  return table(
    ['source', 'sender', 'cluster', 'last request', 'loaded', 'lag', 'last hour', 'last day', 'state'],
    streams.map((stream) => [
      stream.source,
      stream.sender,
      stream.cluster || '-',
      stream.last_seen || '-',
      stream.loaded,
      span(stream.lag_s),
      stream.per_hour.at(-1) ?? 0,
      stream.per_hour.reduce((sum, count) => sum + count, 0),
      stream.state,
    ]),
  )
}

/** Seconds as people say them. */
function span(seconds: number): string {
  const units: [string, number][] = [
    ['d', 86_400],
    ['h', 3600],
    ['min', 60],
  ]
  const [unit, size] = units.find(([, length]) => seconds >= 2 * length) ?? ['s', 1]
  return `${Math.round(seconds / size).toLocaleString('en')} ${unit}`
}

export const rejectsCommand: Command = {
  name: 'rejects',
  usage: '[--source ID] [--limit N]',
  summary: 'lines that became no fact, redacted, with the reason',
  options: {
    source: { type: 'string', short: 's', value: 'ID', help: 'of this source only' },
    limit: { type: 'string', value: 'N', help: 'newest lines to print (default 20, at most 1000)' },
  },
  run: async ({ args, backend, print }) => {
    const limit = Number(args.text('limit') ?? 20)
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
      throw new CinchError('bad_option', `--limit ${args.text('limit')} is not from 1 to 1000`, 'give a whole number')
    const listing = await (await backend()).rejects(args.text('source') ?? '', limit)
    if (args.flag('json')) print(toJson(listing))
    else {
      print(
        table(
          ['source', 'reason', 'lines'],
          listing.reasons.map((row) => [row.source, row.reason, row.lines]),
        ),
      )
      for (const row of listing.lines) print(`\n${row.loaded} ${row.source} ${row.reason}\n  ${printable(row.line)}`)
    }
    return 0
  },
}

export const doctorCommand: Command = {
  name: 'doctor',
  usage: '[--source ID]',
  summary: 'what senders could tell and do not, and the configuration that adds it',
  options: { source: { type: 'string', short: 's', value: 'ID', help: 'of this source only' } },
  run: async ({ args, backend, print }) => {
    const doctor = await (await backend()).doctor(args.text('source') ?? '')
    if (args.flag('json')) print(toJson(doctor))
    else if (doctor.senders.length === 0) print('nothing came yet: cinch ingest --source ID FILE')
    else if (doctor.findings.length === 0) print('every sender tells what it should')
    else
      for (const finding of doctor.findings)
        print(
          `${finding.source} from ${finding.sender}${finding.cluster ? ` (${printable(finding.cluster)})` : ''}: ${finding.missing} is missing in ${Math.round(finding.share * 100)} %\n  so: ${finding.consequence}\n  do: ${finding.remedy}`,
        )
    if (!args.flag('json') && doctor.completeness.length > 0)
      print(
        table(
          ['callee', 'reporter', 'in logs', 'counted', 'missing'],
          doctor.completeness.map((row) => [
            printable(row.callee),
            row.reporter,
            row.logs,
            row.metrics,
            `${(row.missing * 100).toFixed(1)} %`,
          ]),
        ),
      )
    return doctor.findings.length > 0 ? 1 : 0
  },
}

export const migrateCommand: Command = {
  name: 'migrate',
  usage: '',
  summary: 'bring the store up to date',
  options: {},
  run: async ({ args, backend, print }) => {
    const { migrated } = await backend()
    print(
      args.flag('json')
        ? toJson({ applied: migrated })
        : migrated.length > 0
          ? `applied migrations ${migrated.join(', ')}`
          : 'the store is up to date',
    )
    return 0
  },
}
