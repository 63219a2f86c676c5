import type { DisagreementsAnswer } from '../../api/disagreements.ts'
import { type Command, table, toJson } from '../command.ts'
import { WINDOW } from '../options.ts'
import { printable } from '../printable.ts'

export const disagreementsCommand: Command = {
  name: 'disagreements',
  usage: '[--since T] [--until T]',
  summary: 'where one word on who called is held against another: claims, connections, addresses',
  options: WINDOW,
  run: async ({ args, backend, print }) => {
    const answer = await (await backend()).disagreements({ since: args.text('since'), until: args.text('until') })
    print(args.flag('json') ? toJson(answer) : text(answer))
    for (const { principal, clusters } of args.flag('json') ? [] : answer.shared_principals)
      print(
        `one identity in ${clusters.map(printable).join(' and ')}: ${printable(principal)}; who may call as the one may as the other`,
      )
    return 0
  },
}

function text({ window, disagreements, left_out }: DisagreementsAnswer): string {
  if (disagreements.length === 0) return `${window.since} to ${window.until}: nobody disagrees on who called`
  return [
    `${window.since} to ${window.until}: ${(disagreements.length + left_out).toLocaleString('en')} disagreements`,
    table(
      ['callee', 'what', 'connection says', 'evidence', 'others say', 'requests', 'denied', 'first seen', 'last seen'],
      disagreements.map((row) => [
        row.callee,
        row.kind,
        row.caller || '-',
        row.evidence,
        row.said || '-',
        row.requests,
        row.denied,
        row.first_seen,
        row.last_seen,
      ]),
    ),
    ...(left_out > 0 ? [`${left_out.toLocaleString('en')} are not listed: narrow the window`] : []),
  ].join('\n')
}
