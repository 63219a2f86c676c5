import { readHeads } from '../../api/routes/lifecycle.ts'
import type { LogEntry, LogVerdict } from '../../model/lifecycle.ts'
import { type Command, table, toJson } from '../command.ts'

export const logCommand: Command = {
  name: 'policies log',
  usage: '[--verify [--head SEQ:HASH]]',
  summary: 'who did what to policies and why; --verify: whether the log is as it was written, exit 1 when it is not',
  options: {
    verify: { type: 'boolean', help: 'look for what was changed, removed or put between' },
    head: {
      type: 'string',
      value: 'SEQ:HASH',
      help: 'with --verify: the last entry as it was printed earlier, kept elsewhere',
    },
  },
  run: async ({ args, backend, print }) => {
    const { lifecycle } = await backend()
    if (!args.flag('verify')) {
      const entries = await lifecycle.entries()
      print(args.flag('json') ? toJson({ entries }) : entries.length > 0 ? tableOf(entries) : 'nothing was done yet')
      return 0
    }
    const verdict = await lifecycle.verify(readHeads(args.text('head') ?? ''))
    print(args.flag('json') ? toJson(verdict) : describe(verdict))
    return verdict.faults.length > 0 ? 1 : 0
  },
}

function describe({ entries, head, faults }: LogVerdict): string {
  if (faults.length > 0) return faults.map(({ seq, what }) => `entry ${seq} ${what}`).join('\n')
  return `${entries} entries, as they were written; keep the head elsewhere: --head ${head.seq}:${head.hash}`
}

function tableOf(entries: readonly LogEntry[]): string {
  return table(
    ['entry', 'at', 'who', 'did', 'callee', 'digest', 'why'],
    entries.map(({ seq, at, who, said, why }) => {
      const [did, callee, digest] = whatOf(said)
      return [String(seq), at.slice(0, 19), who, did, callee, digest, why]
    }),
  )
}

function whatOf(said: LogEntry['said']): [did: string, callee: string, digest: string] {
  switch (said.about) {
    case 'draft': {
      const { step, draft } = said
      const how =
        step.action === 'approve'
          ? ` as ${step.as}`
          : step.action === 'promote'
            ? ` to ${step.to}`
            : step.action === 'confirm'
              ? ` ${step.stage}`
              : ''
      return [`${step.action}${how}`, draft.callee, draft.digest.slice(0, 12)]
    }
    case 'declare':
      return [`declare ${said.declaration.id}`, said.declaration.callee, '']
    case 'lift':
      return [`lift ${said.id}`, '', '']
    case 'windows':
      return [`change windows: ${said.windows.join('; ') || 'always'}`, '', '']
    case 'unreadable':
      return ['not what was written', '', '']
  }
}
