import type { Lexicon, Row } from './rows.ts'

/** Paths of fewer depths below a name are told apart by their depth. */
const DEPTHS_MIN = 3
/** Of a depth with fewer requests nothing is said, for or against. */
const DEPTH_REQUESTS_MIN = 5
/** New last names keep coming: so many of them, and so large a share, were asked for once. */
const ONCE_MIN = 3
const ONCE_SHARE_MIN = 0.4
/** A name that so large a share of a depth's requests has in one place is a resource of an API, or a tree of its own. */
const DOMINANT_SHARE = 0.5
/** Names of directories that come again do so in other depths, too; an API's resources stand where they stand. */
const ANYWHERE_SHARE_MIN = 0.5
/** A last name that comes again below so many others is an operation of what these stand for; few files have such names. */
const PARENTS_MIN = 3
const OPERATIONS_SHARE_MAX = 0.3
/** Requests after which a directory's own callers tell it from the others. */
const APART_REQUESTS_MIN = 3

/**
 * The rows below a name that are one tree of any depth (files, a proxied prefix): their depths follow each other without a
 * gap, in each of them the last names keep coming, and the names before these are those of directories. A directory whose
 * callers use no other one is not among them.
 *
 * @param here rows of one method that go on at `depth`
 */
export function tailAmong(here: readonly Row[], depth: number, lexicon: Lexicon): Set<Row> {
  const all = here.filter((row) => row.tokens.length > depth && !lexicon.isJoined(row.tokens[depth] ?? 0))
  if (new Set(all.map((row) => row.tokens.length)).size < DEPTHS_MIN) return NONE
  const rows = sharedAmong(all, depth)
  const ways = rows.map((row) => ({ row, names: namesOf(row, depth, lexicon) }))
  const byDepth = Map.groupBy(ways, ({ names }) => names.length)
  const depths = [...byDepth.keys()]
    .filter((at) => requestsOf(byDepth.get(at)) >= DEPTH_REQUESTS_MIN)
    .sort((a, b) => a - b)
  const [first = 0, last = 0] = [depths[0], depths.at(-1)]
  if (depths.length < DEPTHS_MIN || last - first + 1 !== depths.length) return NONE
  const known = depths.map((at) => byDepth.get(at) ?? [])
  if (!known.every(isOpen) || known.some(hasResource) || known.some(hasOperations) || !areDirectories(known))
    return NONE
  return new Set(rows)
}

const NONE: Set<Row> = new Set()

/** A row's segments below a node: their texts as numbers, parts of one segment together. */
interface Way {
  row: Row
  names: string[]
}

function namesOf({ tokens }: Row, depth: number, lexicon: Lexicon): string[] {
  const names: string[] = []
  for (const token of tokens.subarray(depth)) {
    if (lexicon.isJoined(token)) names.push(`${names.pop()} ${token}`)
    else names.push(String(token))
  }
  return names
}

const requestsOf = (ways: readonly Way[] = []) => ways.reduce((sum, { row }) => sum + row.requests, 0)

function counted(ways: readonly Way[], nameOf: (way: Way) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const way of ways) counts.set(nameOf(way), (counts.get(nameOf(way)) ?? 0) + way.row.requests)
  return counts
}

function isOpen(ways: readonly Way[]): boolean {
  const counts = [...counted(ways, ({ names }) => names.at(-1) ?? '').values()]
  const once = counts.filter((requests) => requests === 1).length
  return once >= ONCE_MIN && once / counts.length >= ONCE_SHARE_MIN
}

function hasResource(ways: readonly Way[]): boolean {
  const places = (ways[0]?.names.length ?? 0) - 1
  const all = requestsOf(ways)
  return Array.from({ length: places }).some((_, at) =>
    [...counted(ways, ({ names }) => names[at] ?? '').values()].some((requests) => requests >= DOMINANT_SHARE * all),
  )
}

function hasOperations(ways: readonly Way[]): boolean {
  const byLast = Map.groupBy(ways, ({ names }) => names.at(-1) ?? '')
  const shared = [...byLast.values()].filter(
    (own) => new Set(own.map(({ names }) => names.slice(0, -1).join(' '))).size >= PARENTS_MIN,
  )
  return requestsOf(shared.flat()) > OPERATIONS_SHARE_MAX * requestsOf(ways)
}

/** Whether most directories that come again are also met in other places of the path. */
function areDirectories(depths: readonly Way[][]): boolean {
  const uses = new Map<string, { places: Set<number>; requests: number }>()
  for (const { row, names } of depths.flat())
    for (const [at, name] of names.slice(0, -1).entries()) {
      const use = uses.get(name) ?? { places: new Set(), requests: 0 }
      uses.set(name, use)
      use.places.add(at)
      use.requests += row.requests
    }
  let [anywhere, all] = [0, 0]
  for (const { places, requests } of uses.values()) {
    if (requests === 1) continue
    all += requests
    if (places.size > 1) anywhere += requests
  }
  return anywhere >= ANYWHERE_SHARE_MIN * all
}

/** Without the rows of directories whose callers use no other one. */
function sharedAmong(rows: readonly Row[], depth: number): Row[] {
  const byName = Map.groupBy(rows, (row) => row.tokens[depth] ?? 0)
  const users = new Map<string, number>()
  const callersOf = (own: readonly Row[]) => new Set(own.flatMap(({ seen }) => seen.callers))
  for (const own of byName.values())
    for (const caller of callersOf(own)) users.set(caller, (users.get(caller) ?? 0) + 1)
  const isApart = (own: readonly Row[]) =>
    byName.size > 1 &&
    own.reduce((sum, { requests }) => sum + requests, 0) >= APART_REQUESTS_MIN &&
    [...callersOf(own)].every((caller) => users.get(caller) === 1)
  return [...byName.values()].filter((own) => !isApart(own)).flat()
}
