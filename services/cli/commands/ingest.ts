import type { Progress } from '../../collector/ingest.ts'
import { findSource, SOURCES } from '../../collector/sources/index.ts'
import { CinchError } from '../../model/errors.ts'
import { type Command, toJson } from '../command.ts'
import { printable } from '../printable.ts'

export const ingestCommand: Command = {
  name: 'ingest',
  usage: '--source ID [--cluster NAME] FILE… | -',
  summary: 'load files (plain, .gz, .zst) or standard input',
  options: {
    source: {
      type: 'string',
      short: 's',
      value: 'ID',
      help: `one of ${SOURCES.map((source) => source.id).join(', ')}`,
    },
    cluster: { type: 'string', value: 'NAME', help: 'cluster that the telemetry is from' },
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
    const store = await backend()
    const total = { read: 0, accepted: 0, rejected: 0, bytes: 0, skipped: 0, seconds: 0 }
    const bar = progressBar()
    for (const path of args.positionals) {
      const result = await store.ingest(source.id, args.text('cluster') ?? '', path, bar.update)
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += result[key]
    }
    bar.end()
    if (args.flag('json')) print(toJson(total))
    else print(describe(total))
    if (total.rejected > 0) note(`see why lines were rejected: cinch rejects --source ${source.id}`)
    return total.rejected > 0 ? 1 : 0
  },
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
