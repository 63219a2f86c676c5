import { type Cell, type Entry, type Node, REQUESTS_MIN, sum } from './cells.ts'
import type { Lexicon } from './rows.ts'

/** So many texts, with so many cells in common, are looked at together. */
const TEXTS_MIN = 4
const CELLS_MIN = 3
/** How far counts may be from row total times column total: chi-square by degree of freedom. */
const MISFIT_MAX = 2
/** Least spread of the texts' totals (standard deviation by mean): resources that are used alike are not values for that. */
const SPREAD_MIN = 0.3

/**
 * Popular values of one parameter are used in proportion: who is asked for twice as often is so in every operation. Names
 * that only happen to have like operations are not. Makes the former values; a name with an operation of its own stays one.
 */
export function poolProportional({ byToken }: Node, lexicon: Lexicon): void {
  const candidates = [...byToken.values()].filter(
    (entries) =>
      entries.every(
        (entry) => !lexicon.typed[entry.token] && !lexicon.fixed[entry.token] && entry.cell.entries.length > 1,
      ) && entries.some(({ verdict }) => verdict === 'literal'),
  )
  const shared = sharedCells(candidates)
  const alike = candidates.filter((entries) => entries.filter(({ cell }) => shared.has(cell)).length >= CELLS_MIN)
  if (alike.length < TEXTS_MIN || shared.size < CELLS_MIN) return
  if (!isSparse(alike, shared) && !isProportional(alike, shared)) return
  for (const entry of alike.flat()) entry.verdict = 'value'
}

/**
 * Texts that share operations, by the same callers, and have in none of them enough requests to be an operation of their own:
 * together they have. A parameter with a list of values looks so; operations of their own would each be asked for as often.
 */
function isSparse(texts: readonly Entry[][], shared: ReadonlySet<Cell>): boolean {
  const callersOf = (entries: readonly Entry[]) =>
    new Set(entries.flatMap(({ rows }) => rows.flatMap(({ seen }) => seen.callers)))
  const users = new Map<string, number>()
  for (const entries of texts) for (const caller of callersOf(entries)) users.set(caller, (users.get(caller) ?? 0) + 1)
  return (
    [...shared].every(({ requests }) => requests >= REQUESTS_MIN) &&
    texts.every((entries) => {
      const own = entries.filter(({ cell }) => shared.has(cell))
      const isShared = [...callersOf(entries)].some((caller) => (users.get(caller) ?? 0) > 1)
      return own.length === entries.length && isShared && sum(own) < REQUESTS_MIN * own.length
    })
  )
}

function sharedCells(candidates: readonly Entry[][]): Set<Cell> {
  const texts = new Map<Cell, number>()
  for (const entry of candidates.flat()) texts.set(entry.cell, (texts.get(entry.cell) ?? 0) + 1)
  return new Set([...texts].filter(([, n]) => n >= TEXTS_MIN).map(([cell]) => cell))
}

function isProportional(texts: readonly Entry[][], shared: ReadonlySet<Cell>): boolean {
  const ofText = texts.map((entries) => {
    const counts = new Map(entries.filter(({ cell }) => shared.has(cell)).map((entry) => [entry.cell, entry.requests]))
    return { counts, total: [...counts.values()].reduce((a, b) => a + b, 0) }
  })
  const ofCell = new Map([...shared].map((cell) => [cell, 0]))
  for (const { counts } of ofText) for (const [cell, n] of counts) ofCell.set(cell, (ofCell.get(cell) ?? 0) + n)
  const all = ofText.reduce((sum, { total }) => sum + total, 0)
  const mean = all / ofText.length
  const spread = Math.sqrt(ofText.reduce((sum, { total }) => sum + (total - mean) ** 2, 0) / ofText.length) / mean
  if (spread < SPREAD_MIN) return false
  let misfit = 0
  for (const { counts, total } of ofText)
    for (const [cell, inCell] of ofCell) {
      const expected = (total * inCell) / all
      if (expected > 0) misfit += ((counts.get(cell) ?? 0) - expected) ** 2 / expected
    }
  return misfit / ((ofText.length - 1) * (shared.size - 1)) <= MISFIT_MAX
}
