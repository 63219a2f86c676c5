import { order } from './order.ts'
import { type Link, type Ranking, rank } from './rank.ts'
import { type Cell, settle } from './settle.ts'

export interface Box {
  id: string
  width: number
  height: number
}

export interface Point {
  x: number
  y: number
}

/** Where everything is, in pixels, y downwards; the drawing fills 0,0 to width,height. */
export interface Placement {
  width: number
  height: number
  /** Centre of each box. */
  centres: Map<string, Point>
  /** Points that the link with this key (`linkKey`) passes between its two boxes, from source to target; none for short links. */
  routes: Map<string, Point[]>
}

export interface Spacing {
  rowGap: number
  columnGap: number
}

/** Room for a long link to pass between boxes. */
const BEND_ROOM = 5

export function linkKey(source: string, target: string): string {
  return JSON.stringify([source, target])
}

/** The part of a window that a drawing usually gets, in pixels: drawings are made to be legible in it. */
const VIEW = { width: 920, height: 700 }
/** What a box is taken for when ways to draw are compared, so that expanding a group does not change the way. */
const USUAL = { width: 130, height: 27 }
const USUAL_SPACING = { rowGap: 8, columnGap: 60 }
/** Calls that all run to the right are worth a drawing that is this much smaller. */
const DEEP_IS_WORTH = 1.05

interface Way {
  ranking: Ranking
  rowsMax: number
}

/**
 * Places boxes in columns so that links run from left to right with few crossings (Sugiyama's method). The same boxes
 * and links, in any order, give the same places; the size of a box changes distances, never the order.
 */
export function layered(boxes: readonly Box[], links: readonly Link[], spacing: Spacing): Placement {
  return arrange(boxes, links, spacing, bestWay(boxes, links))
}

/** Of several ways to make columns, the one whose drawing is largest when all of it is in view. */
function bestWay(boxes: readonly Box[], links: readonly Link[]): Way {
  const usual = boxes.map(({ id }) => ({ id, ...USUAL }))
  let best: Way = { ranking: 'deep', rowsMax: 1 }
  let most = 0
  for (const ranking of ['deep', 'near'] as const) {
    for (const factor of [1.3, 1.8, 2.5, 4]) {
      const way = { ranking, rowsMax: Math.max(5, Math.ceil(factor * Math.sqrt(boxes.length))) }
      const { width, height } = arrange(usual, links, USUAL_SPACING, way)
      const scale = Math.min(VIEW.width / Math.max(1, width), VIEW.height / Math.max(1, height), 1)
      const worth = scale * (ranking === 'deep' ? DEEP_IS_WORTH : 1)
      if (worth > most) {
        most = worth
        best = way
      }
    }
  }
  return best
}

function arrange(boxes: readonly Box[], links: readonly Link[], spacing: Spacing, way: Way): Placement {
  const ids = boxes.map((box) => box.id)
  const ranks = rank(ids, links, way.ranking, way.rowsMax)
  const cells = new Map<string, Cell>(
    boxes.map(({ id, width, height }) => [id, { id, width, room: height + spacing.rowGap, bend: false }]),
  )
  const { chains, before, after, columns } = chain(ranks, links, cells)
  const ordered = order({ columns, before, after }).map((column) => column.flatMap((id) => cells.get(id) ?? []))
  const y = settle(ordered, before, after)
  const { x, width } = abreast(ordered, spacing.columnGap * roomForLines(boxes.length, links.length))
  const at = (id: string): Point => ({ x: x.get(id) ?? 0, y: y.centres.get(id) ?? 0 })
  const routes = new Map([...chains].map(([key, bends]) => [key, bends.map(at)]))
  return { width, height: y.height, centres: new Map(ids.map((id) => [id, at(id)])), routes }
}

/** Cuts each link into steps from one column to the next, with a bend in each column between. */
function chain(ranks: Map<string, number>, links: readonly Link[], cells: Map<string, Cell>) {
  const columns: string[][] = Array.from({ length: Math.max(-1, ...ranks.values()) + 1 }, () => [])
  for (const id of [...ranks.keys()].sort()) columns[ranks.get(id) ?? 0]?.push(id)
  const before = new Map<string, string[]>()
  const after = new Map<string, string[]>()
  const join = (a: string, b: string) => {
    after.set(a, [...(after.get(a) ?? []), b])
    before.set(b, [...(before.get(b) ?? []), a])
  }
  const chains = new Map<string, string[]>()
  for (const key of [...new Set(links.map((link) => linkKey(link.source, link.target)))].sort()) {
    const [source = '', target = ''] = JSON.parse(key) as string[]
    const [from, to] = [ranks.get(source) ?? 0, ranks.get(target) ?? 0]
    const forward = from <= to
    const bends: string[] = []
    let previous = forward ? source : target
    for (let column = Math.min(from, to) + 1; column < Math.max(from, to); column += 1) {
      const bend = `${key}@${column}`
      cells.set(bend, { id: bend, room: BEND_ROOM, width: 0, bend: true })
      columns[column]?.push(bend)
      join(previous, bend)
      bends.push(bend)
      previous = bend
    }
    if (from !== to) join(previous, forward ? target : source)
    chains.set(key, forward ? bends : bends.reverse())
  }
  return { chains, before, after, columns }
}

/** Lines that are many for the number of boxes need wider gaps to be told apart. */
function roomForLines(boxes: number, links: number): number {
  return 1 + Math.min(1.5, Math.max(0, links / Math.max(1, boxes) - 2) / 6)
}

/** Across: columns as wide as their widest box. */
function abreast(columns: Cell[][], gap: number) {
  const x = new Map<string, number>()
  let left = 0
  for (const [index, column] of columns.entries()) {
    const width = Math.max(0, ...column.map((cell) => cell.width))
    if (index > 0) left += gap
    for (const cell of column) x.set(cell.id, left + width / 2)
    left += width
  }
  return { x, width: left }
}
