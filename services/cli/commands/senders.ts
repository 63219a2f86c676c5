import { CinchError } from '../../model/errors.ts'
import type { Evidence } from '../../model/evidence.ts'
import { type Command, table, toJson } from '../command.ts'

export const sendersCommand: Command = {
  name: 'senders',
  usage: '[add NAME --source ID… [--cluster NAME] [--workload NS/NAME…] [--evidence E] [--spiffe ID] | revoke NAME]',
  summary: 'who may send telemetry over the network, of what, for whom, and how strong their word is',
  options: {
    source: {
      type: 'string',
      short: 's',
      multiple: true,
      value: 'ID',
      help: 'a source that it may send; can be repeated',
    },
    cluster: { type: 'string', value: 'NAME', help: 'the cluster that it reports from' },
    workload: {
      type: 'string',
      multiple: true,
      value: 'NS/NAME',
      help: "workloads that it may speak for, such as 'shop/*'; can be repeated (default: all)",
    },
    evidence: { type: 'string', value: 'E', help: 'the strongest evidence that it can give (default verified)' },
    spiffe: {
      type: 'string',
      value: 'ID',
      help: 'it shows a certificate with this SPIFFE ID (mutual TLS), and has no token',
    },
  },
  run: async ({ args, backend, print, note }) => {
    const [action, id] = args.positionals
    if (action === undefined) {
      const senders = await (await backend()).senders()
      print(
        args.flag('json')
          ? toJson({ senders })
          : table(
              ['sender', 'sources', 'cluster', 'speaks for', 'evidence', 'shows'],
              senders.map((sender) => [
                sender.id,
                sender.sources.join(' '),
                sender.cluster,
                sender.workloads.join(' ') || 'all',
                sender.evidence,
                sender.spiffe ?? 'a token',
              ]),
            ),
      )
      return 0
    }
    if ((action !== 'add' && action !== 'revoke') || !id)
      throw new CinchError(
        'usage',
        `'${args.positionals.join(' ')}' is not understood`,
        'cinch senders add NAME --source ID, or cinch senders revoke NAME',
      )
    if (action === 'revoke') {
      await (await backend()).revoke(id)
      print(args.flag('json') ? toJson({ revoked: id }) : `${id} is revoked`)
      return 0
    }
    const registration = {
      id,
      sources: args.list('source'),
      cluster: args.text('cluster') ?? '',
      workloads: args.list('workload'),
      evidence: (args.text('evidence') ?? 'verified') as Evidence,
      ...(args.text('spiffe') === undefined ? {} : { spiffe: args.text('spiffe') }),
    }
    const token = await (await backend()).register(registration)
    if (token === '') {
      print(args.flag('json') ? toJson({ id, spiffe: registration.spiffe }) : `${id} shows ${registration.spiffe}`)
      return 0
    }
    print(args.flag('json') ? toJson({ id, token }) : token)
    note('this token is shown once; send it as Authorization: Bearer')
    return 0
  },
}
