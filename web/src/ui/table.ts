/** A column of a table: what it shows is up to the table's owner, what it sorts by is `value`. */
export interface Column<Row> {
  key: string
  title: string
  value: (row: Row) => string | number
  numeric?: boolean
}

export interface Sorting {
  key: string
  descending: boolean
}

/** Rows in order of a column; equal rows stay as they were. Numbers by size, text as people sort it (`v2` before `v10`). */
export function sortRows<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { key, descending }: Sorting,
): Row[] {
  const column = columns.find((each) => each.key === key)
  if (column === undefined) return [...rows]
  const direction = descending ? -1 : 1
  const compare = (a: string | number, b: string | number) =>
    typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b))
  return [...rows].sort((a, b) => direction * compare(column.value(a), column.value(b)))
}

const collator = new Intl.Collator('en', { numeric: true })

/** What a click on a column's head leads to: numbers start with the largest, text with the first letter. */
export function nextSorting<Row>(current: Sorting, column: Column<Row>): Sorting {
  if (current.key === column.key) return { key: column.key, descending: !current.descending }
  return { key: column.key, descending: column.numeric === true }
}
