import { CinchError } from '../../model/errors.ts'
import { CONSTANTS, type Load, sizeOf } from '../../model/sizing.ts'
import { DEFAULT_RETENTION } from '../../store/retention.ts'
import { type Command, table, toJson } from '../command.ts'
import type { Arguments } from '../options.ts'

const HOURS_DEFAULT = 4

export const sizeCommand: Command = {
  name: 'size',
  usage: '--requests N --edges N --operations N [--facts-days N] [--operations-days N]',
  summary: 'what a stated load needs: bytes by table, memory, processors',
  options: {
    requests: { type: 'string', value: 'N', help: 'requests a second, on average over the day' },
    edges: { type: 'string', value: 'N', help: 'pairs of caller and callee; count one that both sides log twice' },
    operations: { type: 'string', value: 'N', help: 'operations on all edges together' },
    hours: {
      type: 'string',
      value: 'N',
      help: `hours of a day in which an operation is used (default ${HOURS_DEFAULT})`,
    },
    'facts-days': { type: 'string', value: 'N', help: `days that facts stay (default ${DEFAULT_RETENTION.factsDays})` },
    'operations-days': {
      type: 'string',
      value: 'N',
      help: `days that operations stay (default ${DEFAULT_RETENTION.operationsDays})`,
    },
  },
  run: async ({ args, print }) => {
    const load: Load = {
      requestsPerSecond: number(args, 'requests', 1e7),
      edges: number(args, 'edges', 1e8),
      operations: number(args, 'operations', 1e10),
      hoursPerDay: number(args, 'hours', 24, HOURS_DEFAULT),
      factsDays: number(args, 'facts-days', 3650, DEFAULT_RETENTION.factsDays),
      operationsDays: number(args, 'operations-days', 3650, DEFAULT_RETENTION.operationsDays),
    }
    const sizing = sizeOf(load)
    if (args.flag('json')) {
      print(toJson({ load, ...sizing, constants: CONSTANTS }))
      return 0
    }
    print(
      table(
        ['table', 'rows a day', 'bytes a day', 'days', 'bytes'],
        sizing.tables.map((row) => [row.table, row.rows_per_day, bytes(row.bytes_per_day), row.days, bytes(row.bytes)]),
      ),
    )
    print(`\ndisk: ${bytes(sizing.disk_bytes)} (${bytes(sizing.bytes)}, and room for merges)`)
    print(`memory: ${bytes(sizing.memory_bytes)}`)
    print(`processors: ${sizing.processors} (ingest keeps ${sizing.processors_busy.toFixed(2)} busy on average)`)
    print('\nmeasured on two processors:')
    print(
      table(
        ['constant', 'value', 'unit', 'from'],
        Object.entries(CONSTANTS).map(([name, { value, unit, from }]) => [name, String(value), unit, from]),
      ),
    )
    return 0
  },
}

function number(args: Arguments, name: string, max: number, otherwise?: number): number {
  const text = args.text(name)
  const value = text === undefined ? otherwise : Number(text)
  if (value === undefined)
    throw new CinchError('usage', `--${name} is missing`, 'state the load: --requests N --edges N --operations N')
  if (text === '' || !(value > 0 && value <= max))
    throw new CinchError('bad_option', `--${name} '${text}' is not above 0 and at most ${max}`, 'give a number')
  return value
}

function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  const unit = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)))
  return `${(value / 1000 ** unit).toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`
}
