import type { Pin } from '../../model/template.ts'
import { decideCells, decideNode, type Entry, type Node, nodeOf, REQUESTS_MIN } from './cells.ts'
import { Elsewhere } from './elsewhere.ts'
import { applyPins } from './pins.ts'
import { poolProportional } from './proportion.ts'
import type { Lexicon, Row } from './rows.ts'
import { JOINED_PARAMETER, PARAMETER, skeleton, TAIL } from './skeleton.ts'
import { tailAmong } from './tails.ts'

/** Fewer different names than this are no parameter, whatever their counts: they stay as they are. */
const POOL_MIN = 3

/** A sequence of names and parameters that some rows follow. */
export interface Sequence {
  method: number
  tokens: number[]
  rows: Row[]
}

/**
 * Learns sequences from rows: from the root on, the texts at each node are divided into names, which go on alone, and the
 * values of one parameter, which go on together. Only counts and sets decide, so the order of rows does not matter.
 */
export function learnSequences(rows: readonly Row[], lexicon: Lexicon, pins: readonly Pin[] = []): Sequence[] {
  // What a cell is depends on which texts are names; those that the first pass finds are used by the second.
  const first = grow(rows, lexicon, frequentNames(rows, lexicon), pins)
  const names = new Set(first.flatMap(({ tokens }) => tokens))
  return grow(rows, lexicon, names, pins, new Elsewhere(first, lexicon))
}

function frequentNames(rows: readonly Row[], lexicon: Lexicon): Set<number> {
  const requests = new Map<number, number>()
  for (const row of rows)
    for (const token of row.tokens)
      if (!lexicon.typed[token]) requests.set(token, (requests.get(token) ?? 0) + row.requests)
  return new Set(
    [...requests].filter(([token, n]) => n >= REQUESTS_MIN || lexicon.fixed[token]).map(([token]) => token),
  )
}

function grow(
  rows: readonly Row[],
  lexicon: Lexicon,
  names: ReadonlySet<number>,
  pins: readonly Pin[],
  elsewhere?: Elsewhere,
): Sequence[] {
  const suffixes = suffixNumbers(rows, lexicon, names)
  const segments = new Map(
    rows.map((row) => [row, row.tokens.reduce((n, id) => n + (lexicon.isJoined(id) ? 0 : 1), 0)]),
  )
  const found: Sequence[] = []
  const visit = (prefix: number[], here: readonly Row[]): void => {
    const depth = prefix.length
    const ended = here.filter((row) => row.tokens.length === depth)
    for (const [method, ofMethod] of Map.groupBy(ended, (row) => row.method))
      found.push({ method, tokens: prefix, rows: ofMethod })
    const deeper = ended.length === 0 ? here : here.filter((row) => row.tokens.length > depth)
    const tail = isName(prefix.at(-1)) ? tails(deeper, depth, lexicon) : []
    for (const [method, ofMethod] of Map.groupBy(tail, (row) => row.method))
      found.push({ method, tokens: [...prefix, TAIL], rows: ofMethod })
    const inTail = new Set(tail)
    const going = tail.length === 0 ? deeper : deeper.filter((row) => !inTail.has(row))
    for (const [joined, ofKind] of Map.groupBy(going, (row) => lexicon.isJoined(row.tokens[depth] ?? 0))) {
      const node = nodeOf(ofKind, depth, (row) => suffixes.get(row)?.[depth + 1] ?? 0)
      decideCells(node, lexicon)
      elsewhere?.correct(node, skeleton(prefix, lexicon), lexicon)
      decideNode(node, lexicon, (row) => segments.get(row) ?? 0)
      poolProportional(node, lexicon)
      const pinned = pins.length > 0 && applyPins(node, skeleton(prefix, lexicon), lexicon, pins)
      const { literals, pool } = route(node, lexicon, pinned)
      for (const [token, rest] of literals) visit([...prefix, token], rest)
      if (pool.length > 0) visit([...prefix, joined ? JOINED_PARAMETER : PARAMETER], pool)
    }
  }
  visit([], rows)
  return found
}

const isName = (token: number | undefined) => token !== undefined && token > TAIL

/** The rows that are trees of any depth, by method. */
function tails(here: readonly Row[], depth: number, lexicon: Lexicon): Row[] {
  const byMethod = Map.groupBy(here, (row) => row.method)
  return [...byMethod.values()].flatMap((rows) => [...tailAmong(rows, depth, lexicon)])
}

/** For each row and depth the number of what comes from there on: method and the rest, values masked. */
function suffixNumbers(rows: readonly Row[], lexicon: Lexicon, names: ReadonlySet<number>): Map<Row, Int32Array> {
  const numbers = new Map<string, number>()
  const numberOf = (token: number, rest: number) => {
    const key = `${token} ${rest}`
    const known = numbers.get(key) ?? numbers.size
    numbers.set(key, known)
    return known
  }
  const suffixes = new Map<Row, Int32Array>()
  for (const row of rows) {
    const length = row.tokens.length
    const own = new Int32Array(length + 1)
    own[length] = numberOf(row.method, -1)
    for (let depth = length - 1; depth > 0; depth--) {
      const token = row.tokens[depth] ?? 0
      const mask = lexicon.isJoined(token) ? JOINED_PARAMETER : PARAMETER
      own[depth] = numberOf(names.has(token) || lexicon.fixed[token] ? token : mask, own[depth + 1] ?? 0)
    }
    suffixes.set(row, own)
  }
  return suffixes
}

/**
 * Sends rows, not texts, on their ways: a text that is a name here keeps the cells where it is one and those that no value
 * has; its other rows are values (a user may be called as a resource is).
 */
function route(
  { cells, byToken }: Node,
  lexicon: Lexicon,
  pinned: boolean,
): { literals: Map<number, Row[]>; pool: Row[] } {
  const pooled = new Set(cells.filter((cell) => cell.entries.some(({ verdict }) => verdict === 'value')))
  const literals = new Map<number, Row[]>()
  const pool: Entry[] = []
  for (const [token, entries] of byToken) {
    const isName = entries.some(({ verdict }) => verdict === 'literal')
    const own = entries.filter((entry) => isName && (entry.verdict === 'literal' || !pooled.has(entry.cell)))
    if (own.length > 0)
      literals.set(
        token,
        own.flatMap(({ rows }) => rows),
      )
    pool.push(...entries.filter((entry) => !own.includes(entry)))
  }
  const tokens = new Set(pool.map(({ token }) => token))
  if (pinned || tokens.size >= POOL_MIN || [...tokens].some((token) => lexicon.typed[token]))
    return { literals, pool: pool.flatMap(({ rows }) => rows) }
  for (const { token, rows } of pool) literals.set(token, [...(literals.get(token) ?? []), ...rows])
  return { literals, pool: [] }
}
