import type { Lexicon, Row } from './rows.ts'

/** Fewer requests than this decide nothing: not that a text is a name, and not that a template is one. */
export const REQUESTS_MIN = 5
/** A cell is open, new values keep coming, when so many of its texts were seen once, and so large a share of them. */
const OPEN_ONCE_MIN = 3
const OPEN_ONCE_SHARE_MIN = 0.4
/** How much more often than the next one the last of the names is seen. */
const NAME_GAP = 3
/** Requests after which a text's own callers, users or statuses tell it from the values. */
const APART_REQUESTS_MIN = 3
/** A typed text is a name where there are no more than two of them, each with so many requests: `/1/boards`, `/2.0/users`. */
const TYPED_NAMES_MAX = 2
const TYPED_NAME_REQUESTS_MIN = 10
/** Beside values that look like it, a text of letters and digits is a name where it is seen so many times as often as the next one. */
const TYPED_NAME_GAP = 4

/** So many texts of one form with digits are a series: nobody gives names like that. Fewer may be versions or quarters. */
const SERIES_MIN = 20

export type Verdict = 'unknown' | 'literal' | 'value'

/** One text in one cell. */
export interface Entry {
  token: number
  cell: Cell
  requests: number
  rows: Row[]
  verdict: Verdict
}

/**
 * The rows of a node that go on alike: same method, same rest of the path (values masked). It is one operation as seen from
 * here, so counts are compared within it and never across.
 */
export interface Cell {
  id: number
  entries: Entry[]
  requests: number
  open: boolean
}

export interface Node {
  cells: Cell[]
  byToken: Map<number, Entry[]>
}

/** Groups a node's rows; `cellOf` gives the number of what follows behind a row's token at `depth`. */
export function nodeOf(rows: readonly Row[], depth: number, cellOf: (row: Row) => number): Node {
  const cells = new Map<number, Cell>()
  const byToken = new Map<number, Entry[]>()
  const found = new Map<number, Map<number, Entry>>()
  for (const row of rows) {
    const token = row.tokens[depth] ?? 0
    const id = cellOf(row)
    let cell = cells.get(id)
    if (!cell) {
      cell = { id, entries: [], requests: 0, open: false }
      cells.set(id, cell)
      found.set(id, new Map())
    }
    const inCell = found.get(id)
    let entry = inCell?.get(token)
    if (!entry) {
      entry = { token, cell, requests: 0, rows: [], verdict: 'unknown' }
      inCell?.set(token, entry)
      cell.entries.push(entry)
      const ofToken = byToken.get(token)
      if (ofToken) ofToken.push(entry)
      else byToken.set(token, [entry])
    }
    entry.requests += row.requests
    entry.rows.push(row)
    cell.requests += row.requests
  }
  return { cells: [...cells.values()], byToken }
}

const untypedOf = (cell: Cell, lexicon: Lexicon) =>
  cell.entries.filter(({ token }) => !lexicon.typed[token] && !lexicon.fixed[token])

/** Decides by its counts, within each cell, which texts are names and which are values. */
export function decideCells({ cells, byToken }: Node, lexicon: Lexicon): void {
  const untyped = new Map(
    cells.map((cell) => [
      cell,
      withoutSeries(untypedOf(cell, lexicon), lexicon).sort((a, b) => b.requests - a.requests),
    ]),
  )
  const isOpen = (entries: readonly Entry[], counts: (entry: Entry) => boolean) => {
    const once = entries.filter((entry) => entry.requests === 1 && counts(entry)).length
    return once >= OPEN_ONCE_MIN && once / entries.length >= OPEN_ONCE_SHARE_MIN
  }
  for (const [cell, entries] of untyped) cell.open = isOpen(entries, () => true)
  // Names that each have few requests in a small cell look like values there: their other cells know better.
  const names = new Set<number>()
  for (const [token, entries] of byToken) {
    const closed = sum(entries.filter(({ cell }) => !cell.open && cell.requests >= REQUESTS_MIN))
    if (closed >= REQUESTS_MIN && closed * 2 > sum(entries)) names.add(token)
  }
  for (const [cell, entries] of untyped) {
    const open = cell.open
    cell.open = open && isOpen(entries, ({ token }) => !names.has(token))
    if (cell.open) decideOpen(entries)
    else if (!open && sum(entries) >= REQUESTS_MIN) for (const entry of entries) entry.verdict = 'literal'
    else if (open) for (const entry of entries) if (names.has(entry.token)) entry.verdict = 'literal'
  }
}

/**
 * Makes the texts of a series values, and gives the others. Numbers of articles and the like are values however often each is seen:
 * where a job asks for every one of them some times, none is seen once, and counts would call them names.
 */
function withoutSeries(entries: Entry[], lexicon: Lexicon): Entry[] {
  const byForm = Map.groupBy(entries, ({ token }) => seriesForm(lexicon.text(token)))
  const series = new Set([...byForm].flatMap(([form, own]) => (form !== '' && own.length >= SERIES_MIN ? own : [])))
  for (const entry of series) {
    // One that others use than the rest is no value of theirs.
    const isApart =
      entry.requests >= APART_REQUESTS_MIN && apartFrom([...series].filter((other) => other !== entry))(entry)
    entry.verdict = isApart ? 'literal' : 'value'
  }
  return series.size === 0 ? entries : entries.filter((entry) => !series.has(entry))
}

/** A text with every run that has a digit masked; empty where none has. */
function seriesForm(text: string): string {
  const form = text.slice(1).replaceAll(/[a-zA-Z]*[0-9][a-zA-Z0-9]*/g, '0')
  return form.includes('0') ? form : ''
}

function decideOpen(descending: Entry[]): void {
  let names = 0
  for (const [at, { requests }] of descending.entries()) {
    const next = descending[at + 1]
    if (next && requests >= REQUESTS_MIN && requests / next.requests >= NAME_GAP) names = at + 1
  }
  const tail = descending.filter((entry) => entry.requests < APART_REQUESTS_MIN)
  const isApart = apartFrom(tail)
  for (const [at, entry] of descending.entries()) {
    const apart = entry.requests >= APART_REQUESTS_MIN && isApart(entry)
    entry.verdict = at < names || apart ? 'literal' : 'value'
  }
}

/** Whether none of a text's requests was made by a caller, for a class of users, or answered with a class of status, of these. */
function apartFrom(others: readonly Entry[]): (entry: Entry) => boolean {
  const facets = [
    (row: Row) => row.seen.callers,
    (row: Row) => row.seen.users ?? [],
    (row: Row) => row.seen.statuses ?? [],
  ].map((of) => ({ of, all: new Set<string>(others.flatMap(({ rows }) => rows.flatMap(of))) }))
  return ({ rows }) =>
    facets.some(({ of, all }) => {
      const own = rows.flatMap(of)
      return all.size > 0 && own.length > 0 && own.every((one) => !all.has(one))
    })
}

/** Decides what a cell alone cannot: typed texts, and those of cells with too few requests. */
export function decideNode({ cells, byToken }: Node, lexicon: Lexicon, segmentsOf: (row: Row) => number): void {
  const typed = [...byToken.entries()].filter(([token]) => lexicon.typed[token])
  const typedNames =
    typed.length <= TYPED_NAMES_MAX &&
    typed.every(([token, entries]) => !lexicon.placeholder[token] && sum(entries) >= TYPED_NAME_REQUESTS_MIN)
  for (const [, entries] of typed) for (const entry of entries) entry.verdict = typedNames ? 'literal' : 'value'
  if (!typedNames) keepTypedNames(cells, lexicon)
  for (const [token, entries] of byToken)
    if (lexicon.fixed[token]) for (const entry of entries) entry.verdict = 'literal'

  const lengths = new Set(
    cells.flatMap((cell) =>
      cell.entries
        .filter((entry) => cell.open || (lexicon.typed[entry.token] && entry.verdict === 'value'))
        .flatMap(({ rows }) => rows.map(segmentsOf)),
    ),
  )
  const isValue = (entries: Entry[]) =>
    entries.some((entry) => entry.verdict === 'value') ||
    (sum(entries) < REQUESTS_MIN && entries.every(({ rows }) => rows.every((row) => lengths.has(segmentsOf(row)))))
  for (const entries of byToken.values()) {
    const rest = entries.filter((entry) => entry.verdict === 'unknown')
    if (rest.length === 0) continue
    const verdict = isValue(entries) ? 'value' : 'literal'
    for (const entry of rest) entry.verdict = verdict
  }
}

/** A form alone tells no name from a value where it has letters: `securityClassification-6VMVochwUWo`. Its rate does. */
function keepTypedNames(cells: readonly Cell[], lexicon: Lexicon): void {
  for (const { entries } of cells) {
    const [first, next] = entries.filter(({ token }) => lexicon.typed[token]).sort((a, b) => b.requests - a.requests)
    if (!first || !next || !lexicon.hasWord(first.token)) continue
    if (first.requests >= TYPED_NAME_REQUESTS_MIN && first.requests >= TYPED_NAME_GAP * next.requests)
      first.verdict = 'literal'
  }
}

export const sum = (entries: readonly Entry[]) => entries.reduce((total, entry) => total + entry.requests, 0)
