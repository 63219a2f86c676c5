import type { Backend } from './backend.ts'
import type { Arguments, Options } from './options.ts'
import { printable, printableJson } from './printable.ts'

/** Where a command writes, and what it is given. */
export interface Context {
  args: Arguments
  /** Opens the store, or the API of the process that serves it; closed after the command. */
  backend(): Promise<Backend>
  print(text: string): void
  /** Notes and progress: stderr, so that output can be piped. */
  note(text: string): void
}

/** Exit statuses: 0 fine; 1 findings, would-deny or rejected input; 2 usage; 3 a dependency. */
export type Exit = 0 | 1

export interface Command {
  name: string
  /** What stands behind the name in the usage line. */
  usage: string
  summary: string
  options: Options
  run(context: Context): Promise<Exit>
}

/** JSON as machines read it: one document, indented so that people can too. */
export const toJson = (value: unknown) => printableJson(JSON.stringify(value, null, 2))

/** A table for people: columns padded, numbers to the right; cells are made printable. */
export function table(header: string[], rows: (string | number)[][]): string {
  const cells = [
    header,
    ...rows.map((row) => row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : printable(cell)))),
  ]
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  const numeric = header.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'))
  return cells
    .map((row) =>
      row
        .map((cell, column) =>
          numeric[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
