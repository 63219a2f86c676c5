import type { DirectoryAnswer } from '../../api/directory.ts'
import { DIRECTORY_CATEGORIES, type DirectoryCategory, type DirectoryEvent } from '../../model/directory.ts'
import { CinchError } from '../../model/errors.ts'
import { type Command, table, toJson } from '../command.ts'
import { WINDOW } from '../options.ts'

export const directoryCommand: Command = {
  name: 'directory',
  usage: '[--source ID] [--category C] [--about NAME] [--limit N] [--since T] [--until T]',
  summary: 'what directories, identity providers and posture systems said: who changed what, who signed in',
  options: {
    ...WINDOW,
    source: { type: 'string', value: 'ID', help: 'of this source only' },
    category: { type: 'string', value: 'C', help: `${DIRECTORY_CATEGORIES.join(', ')}` },
    about: { type: 'string', value: 'NAME', help: 'whose actor or target has this id or name' },
    limit: { type: 'string', value: 'N', help: 'so many, the newest first (default 100)' },
  },
  run: async ({ args, backend, print }) => {
    const answer = await (await backend()).directory({
      since: args.text('since'),
      until: args.text('until'),
      source: args.text('source'),
      category: category(args.text('category')),
      about: args.text('about'),
      limit: limit(args.text('limit')),
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

/** The first target, and how many more there are. */
function targets({ targets: [first, ...more] }: DirectoryEvent): string {
  if (!first) return '-'
  return `${first.type} ${first.name || first.id}${more.length > 0 ? ` and ${more.length} more` : ''}`
}
