import { CinchError } from '../model/errors.ts'
import { type Backend, openBackend } from './backend.ts'
import type { Command, Context } from './command.ts'
import { attestCommand, trendCommand } from './commands/attest.ts'
import { backtestCommand } from './commands/backtest.ts'
import { chainsCommand } from './commands/chains.ts'
import { checkCommand } from './commands/check.ts'
import { declareCommand, declaredCommand } from './commands/declare.ts'
import { adviceCommand, deliverCommand } from './commands/deliver.ts'
import { diffCommand } from './commands/diff.ts'
import { directoryCommand } from './commands/directory.ts'
import { disagreementsCommand } from './commands/disagreements.ts'
import {
  draftCommand,
  draftsCommand,
  proposeCommand,
  readBackCommand,
  stepCommands,
  windowsCommand,
} from './commands/drafts.ts'
import { findingActs, findingCommand, findingsCommand } from './commands/findings.ts'
import { graphCommand } from './commands/graph.ts'
import { ingestCommand } from './commands/ingest.ts'
import { doctorCommand, migrateCommand, rejectsCommand, sourcesCommand } from './commands/look.ts'
import { operationsCommand } from './commands/operations.ts'
import { generateCommand, replayCommand } from './commands/policies.ts'
import { logCommand } from './commands/policy-log.ts'
import { preflightCommand } from './commands/preflight.ts'
import { privilegeCommand } from './commands/privilege.ts'
import { riskCommand, vouchCommand } from './commands/risk.ts'
import { sendersCommand } from './commands/senders.ts'
import { serveCommand } from './commands/serve.ts'
import { sizeCommand } from './commands/size.ts'
import { stepUpCommand } from './commands/step-up.ts'
import { testCommand } from './commands/test-policies.ts'
import { COMMON, parseArguments, storeLocation } from './options.ts'
import { printableText } from './printable.ts'

export const COMMANDS: Command[] = [
  serveCommand,
  ingestCommand,
  sourcesCommand,
  graphCommand,
  chainsCommand,
  attestCommand,
  trendCommand,
  checkCommand,
  findingCommand,
  ...findingActs,
  findingsCommand,
  directoryCommand,
  vouchCommand,
  riskCommand,
  disagreementsCommand,
  operationsCommand,
  generateCommand,
  replayCommand,
  backtestCommand,
  diffCommand,
  preflightCommand,
  privilegeCommand,
  testCommand,
  stepUpCommand,
  declareCommand,
  declaredCommand,
  proposeCommand,
  draftsCommand,
  draftCommand,
  ...stepCommands,
  deliverCommand,
  readBackCommand,
  adviceCommand,
  windowsCommand,
  logCommand,
  rejectsCommand,
  doctorCommand,
  sendersCommand,
  sizeCommand,
  migrateCommand,
]

/** Where a command line writes: `out` is for what was asked, `err` for errors, notes and progress. */
export interface Output {
  out(text: string): void
  err(text: string): void
}

/** Runs a command line. Resolves to its exit status: 0 fine, 1 findings, 2 usage, 3 a dependency. */
export async function run(args: string[], { out, err }: Output): Promise<number> {
  // Text from telemetry and from arguments passes here on its way out: none of it may drive the terminal.
  const print = (text: string) => out(printableText(text))
  const note = (text: string) => err(printableText(text))
  const command = COMMANDS.find((candidate) => candidate.name.split(' ').every((word, index) => args[index] === word))
  if (!command) return unknown(args, print, note)
  const rest = args.slice(command.name.split(' ').length)
  let opened: Backend | undefined
  try {
    const parsed = parseArguments(rest, command.options, command.name)
    if (parsed.flag('help')) {
      print(help(command))
      return 0
    }
    const context: Context = {
      args: parsed,
      backend: async () => {
        opened ??= await openBackend(storeLocation(parsed.text('store')), note)
        return opened
      },
      print,
      note,
    }
    return await command.run(context)
  } catch (error) {
    return report(error, note)
  } finally {
    await opened?.close()
  }
}

const HELP = ['help', '--help', '-h']

type Write = (text: string) => void

function unknown(args: string[], print: Write, note: Write): number {
  const helped = HELP.includes(args[0] ?? '')
  const about = (helped ? args.slice(1) : args.slice(0, 1)).filter((word) => !HELP.includes(word)).join(' ')
  const one = COMMANDS.find((command) => command.name === about)
  const group = COMMANDS.filter((command) => command.name.startsWith(`${about} `))
  const listed = group.length > 0 ? group : COMMANDS
  const text = [
    'usage: cinch COMMAND [options]',
    '',
    ...listed.map((command) => `  ${command.name.padEnd(18)} ${command.summary}`),
    '',
    'cinch COMMAND --help tells more',
  ].join('\n')
  if (helped || (group.length > 0 && HELP.includes(args.at(-1) ?? ''))) {
    print(one ? help(one) : text)
    return 0
  }
  note(args.length === 0 ? text : `error usage: there is no command '${args.join(' ')}'\n\n${text}`)
  return 2
}

function help(command: Command): string {
  const options = Object.entries({ ...command.options, ...COMMON }).map(([name, option]) => {
    const short = option.short ? `-${option.short}, ` : ''
    return `  ${`${short}--${name}${option.value ? ` ${option.value}` : ''}`.padEnd(24)} ${option.help}`
  })
  return [`usage: cinch ${command.name} ${command.usage}`, '', command.summary, '', ...options].join('\n')
}

function report(error: unknown, note: Write): number {
  if (error instanceof CinchError) {
    note(`error ${error.code}: ${error.message}\n  ${error.next}`)
    return error.exit
  }
  note(
    `error internal: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n  this is a fault of Cinch: report it with the command that led to it`,
  )
  return 3
}
