import type { DirectoryAnswer, DirectoryLinksAnswer } from '../../api/directory.ts'
import { DIRECTORY_CATEGORIES, type DirectoryCategory, type DirectoryEvent } from '../../model/directory.ts'
import { CinchError } from '../../model/errors.ts'
import { type Command, table, toJson } from '../command.ts'
import { WINDOW } from '../options.ts'

export const directoryCommand: Command = {
  name: 'directory',
  usage: '[--links | --source ID --category C --about NAME] [--limit N] [--since T] [--until T]',
  summary: 'what directories, identity providers and posture systems said: who changed what, who signed in',
  options: {
    ...WINDOW,
    source: { type: 'string', value: 'ID', help: 'of this source only' },
    category: { type: 'string', value: 'C', help: `${DIRECTORY_CATEGORIES.join(', ')}` },
    about: { type: 'string', value: 'NAME', help: 'whose actor or target has this id or name' },
    links: { type: 'boolean', help: 'changes, each with what led to it; exit 1 where nothing led to one' },
    limit: { type: 'string', value: 'N', help: 'so many, the newest first (default 100)' },
  },
  run: async ({ args, backend, print }) => {
    const window = { since: args.text('since'), until: args.text('until'), limit: limit(args.text('limit')) }
    if (args.flag('links')) {
      const answer = await (await backend()).directoryLinks(window)
      print(args.flag('json') ? toJson(answer) : linksText(answer))
      return answer.unlinked > 0 ? 1 : 0
    }
    const answer = await (await backend()).directory({
      ...window,
      source: args.text('source'),
      category: category(args.text('category')),
      about: args.text('about'),
    })
    print(args.flag('json') ? toJson(answer) : text(answer))
    return 0
  },
}

function category(given: string | undefined): DirectoryCategory | undefined {
  const known = DIRECTORY_CATEGORIES.find((name) => name === given)
  if (given === undefined || known) return known
  throw new CinchError(
    'bad_option',
    `there is no category '${given}'`,
    `give one of ${DIRECTORY_CATEGORIES.join(', ')}`,
  )
}

function limit(given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  if (/^[1-9]\d{0,4}$/.test(given)) return Number(given)
  throw new CinchError('bad_option', `--limit '${given}' is no number of events`, 'give a whole number, such as 100')
}

function text({ window, events, left_out }: DirectoryAnswer): string {
  if (events.length === 0) return `${window.since} to ${window.until}: no directory said anything`
  return [
    `${window.since} to ${window.until}: ${(events.length + left_out).toLocaleString('en')} events`,
    table(
      ['time', 'source', 'category', 'action', 'outcome', 'actor', 'from', 'target', 'changes'],
      events.map((event) => [
        event.time.slice(0, 19).concat('Z'),
        event.source,
        event.category,
        event.action,
        event.outcome,
        event.actor_name || event.actor_id,
        event.actor_address || '-',
        targets(event),
        event.changes
          .map(({ attribute }) => attribute)
          .join(', ')
          .slice(0, 60) || '-',
      ]),
    ),
    ...(left_out > 0
      ? [`${left_out.toLocaleString('en')} are not listed: narrow the window, or ask with --limit`]
      : []),
  ].join('\n')
}

const GRADES = [
  'nothing led to it',
  'the actor signed in recently',
  'same actor, client and address',
  'same transaction, session or token',
]

function linksText({ window, changes, by_grade, unlinked, links, left_out }: DirectoryLinksAnswer): string {
  if (changes === 0) return `${window.since} to ${window.until}: no directory changed`
  return [
    `${window.since} to ${window.until}: ${changes.toLocaleString('en')} changes, ${unlinked.toLocaleString('en')} that nothing led to`,
    table(
      ['grade', 'means', 'changes', 'usual jobs'],
      by_grade.map((row) => [String(row.grade), GRADES[row.grade] ?? '', row.changes, row.known_jobs]),
    ),
    '',
    table(
      ['time', 'source', 'action', 'actor', 'from', 'target', 'grade', 'by', 'job'],
      links.map(({ change, grade, by, job }) => [
        new Date(change.time_us / 1000).toISOString().slice(0, 19).concat('Z'),
        change.source,
        change.action,
        change.actor_name || change.actor_id,
        change.address || '-',
        targets(change),
        String(grade),
        by || '-',
        job || '-',
      ]),
    ),
    ...(left_out > 0
      ? [`${left_out.toLocaleString('en')} are not listed: narrow the window, or ask with --limit`]
      : []),
  ].join('\n')
}

/** The first target, and how many more there are. */
function targets({ targets: [first, ...more] }: Pick<DirectoryEvent, 'targets'>): string {
  if (!first) return '-'
  return `${first.type} ${first.name || first.id}${more.length > 0 ? ` and ${more.length} more` : ''}`
}
