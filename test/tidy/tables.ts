import type { SourceFile } from './files.ts'

/** Migrations that are misnamed, or tables that do not say why they are ordered as they are. */
export function badMigration({ path, text }: SourceFile): string[] {
  const name = /^migrations\/(\d{4})_[a-z_]+\.sql$/.exec(path)
  if (!name) return [`${path}: migrations are named NNNN_name.sql, others are not run`]
  return [...text.matchAll(/((?:^--.*\n)*)^CREATE TABLE IF NOT EXISTS (\w+)([^;]*);/gm)].flatMap(
    ([, comment = '', table = '', body = '']) => {
      if (/ENGINE = Null/.test(body) || /ORDER BY/.test(comment)) return []
      return [
        `${path}: table ${table} does not say why it is ordered as it is: write "ORDER BY: …" in the comment above it`,
      ]
    },
  )
}

/** Codes in the tables of Markdown whose first column is headed `code`. */
export function codesInTables(markdown: string): string[] {
  const codes: string[] = []
  let inTable = false
  for (const line of markdown.split('\n')) {
    const cell = /^\|\s*`?([\w -]+?)`?\s*\|/.exec(line)?.[1]
    if (cell === undefined) inTable = false
    else if (/^code$/i.test(cell)) inTable = true
    else if (inTable && !/^[-: ]+$/.test(cell)) codes.push(cell)
  }
  return codes
}
