import type { Progress } from '../../collector/ingest.ts'
import { findSource, SOURCES } from '../../collector/sources/index.ts'
import { CinchError } from '../../model/errors.ts'
import type { Backend } from '../backend.ts'
import { type Command, type Context, toJson } from '../command.ts'
import { followable } from '../following.ts'
import type { Arguments } from '../options.ts'
import { printable } from '../printable.ts'
import { stopSignal } from './serve.ts'

export const ingestCommand: Command = {
  name: 'ingest',
  usage: '--source ID [--cluster NAME] [--follow] FILE… | -',
  summary: 'load files (plain, .gz, .zst) or standard input',
  options: {
    source: {
      type: 'string',
      short: 's',
      value: 'ID',
      help: `one of ${SOURCES.map((source) => source.id).join(', ')}`,
    },
    cluster: { type: 'string', value: 'NAME', help: 'cluster that the telemetry is from' },
    follow: { type: 'boolean', help: 'go on as the files grow and are rotated; FILE may be a pattern in quotes' },
  },
  run: async ({ args, backend, print, note }) => {
    const id = args.text('source')
    if (!id)
      throw new CinchError(
        'usage',
        'no --source is given',
        `give one of ${SOURCES.map((source) => source.id).join(', ')}`,
      )
    const source = findSource(id)
    if (args.positionals.length === 0)
      throw new CinchError('usage', 'no file is given', 'give files, or - for standard input')
    if (args.flag('follow')) checkFollowed(source.id, args)
    const store = await backend()
    if (args.flag('follow')) return await followFiles(store, source.id, args, { print, note })
    const total = { read: 0, accepted: 0, rejected: 0, bytes: 0, skipped: 0, seconds: 0 }
    const bar = progressBar()
    for (const path of args.positionals) {
      const result = await store.ingest(source.id, args.text('cluster') ?? '', path, bar.update)
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += result[key]
    }
    await store.learnOperations?.()
    bar.end()
    if (args.flag('json')) print(toJson(total))
    else print(describe(total))
    if (total.rejected > 0) note(`see why lines were rejected: cinch rejects --source ${source.id}`)
    return total.rejected > 0 ? 1 : 0
  },
}

/** How often calls are found in spans that were followed. */
const ANALYZE_EVERY_MS = 2000

function checkFollowed(source: string, args: Arguments): void {
  followable(source)
  if (args.positionals.includes('-'))
    throw new CinchError('usage', 'standard input is not followed', 'leave --follow away: it is read to its end')
}

/** Follows files until it is told to stop. */
async function followFiles(
  { follow, analyze, learnOperations }: Backend,
  source: string,
  args: Arguments,
  { print, note }: Pick<Context, 'print' | 'note'>,
): Promise<0 | 1> {
  if (!follow || !analyze || !learnOperations)
    throw new CinchError(
      'store_busy',
      'the process that serves the store follows files itself',
      `start it with cinch serve --follow '${source}=GLOB'`,
    )
  const started = performance.now()
  const follower = await follow(source, args.text('cluster') ?? '', args.positionals, note)
  const timer = setInterval(() => {
    analyze().catch((error: unknown) => note(`analysis failed, and will be tried again: ${String(error)}`))
  }, ANALYZE_EVERY_MS)
  note(`following ${args.positionals.join(' ')}; Ctrl-C ends it`)
  await stopSignal()
  clearInterval(timer)
  await follower.stop()
  await analyze()
  await learnOperations()
  const { accepted, rejected, bytes } = follower.counts()
  const seconds = (performance.now() - started) / 1000
  const total = { read: accepted + rejected, accepted, rejected, bytes, skipped: 0, seconds }
  print(args.flag('json') ? toJson(total) : describe(total))
  return rejected > 0 ? 1 : 0
}

function describe(total: {
  read: number
  accepted: number
  rejected: number
  skipped: number
  seconds: number
}): string {
  const count = (value: number) => value.toLocaleString('en')
  const rate = total.seconds > 0 ? ` (${count(Math.round(total.read / total.seconds))}/s)` : ''
  const skipped = total.skipped > 0 ? `, ${count(total.skipped)} bytes were in the store already` : ''
  return `${count(total.read)} read, ${count(total.accepted)} accepted, ${count(total.rejected)} rejected in ${total.seconds.toFixed(1)} s${rate}${skipped}`
}

const BAR_WIDTH = 30

/** A line on a terminal that is redrawn; nothing where stderr is no terminal. */
function progressBar(): { update: Progress; end(): void } {
  if (!process.stderr.isTTY) return { update: () => {}, end: () => {} }
  return {
    update: ({ name, done, size, accepted }) => {
      const share = size > 0 ? Math.min(done / size, 1) : 0
      const filled = Math.round(share * BAR_WIDTH)
      const bar =
        size > 0 ? `[${'='.repeat(filled)}${' '.repeat(BAR_WIDTH - filled)}] ${Math.round(share * 100)} %  ` : ''
      process.stderr.write(`\r\x1b[K${bar}${accepted.toLocaleString('en')} facts  ${printable(name).slice(-40)}`)
    },
    end: () => process.stderr.write('\r\x1b[K'),
  }
}
