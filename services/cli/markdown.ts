import { printable } from './printable.ts'

/** Text that may come from telemetry, as it can stand in Markdown, also in a cell: it opens no link, tag, cell or emphasis. */
export const inMarkdown = (value: string) =>
  printable(value)
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/[\\`*_[\]|!#~]/g, '\\$&')
