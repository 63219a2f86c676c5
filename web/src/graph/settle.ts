import { spread } from './spread.ts'

/** A place in a column: a box, or a long link on its way past boxes. */
export interface Cell {
  id: string
  /** Height with the gap to the next. */
  room: number
  width: number
  bend: boolean
}

const BEND_WEIGHT = 2
const ROUNDS = 8
/** How much taller than its tallest column a drawing may be so that links run straighter. */
const SLACK = 1.08

/**
 * Heights of all cells: each goes towards its neighbours in the columns beside it, bends more so, for that keeps long
 * links straight. `before` and `after` are the neighbours by id; the result is centres by id and the height of it all.
 */
export function settle(columns: readonly Cell[][], before: Map<string, string[]>, after: Map<string, string[]>) {
  const needed = columns.map((column) => column.reduce((sum, cell) => sum + cell.room, 0))
  const height = SLACK * Math.max(0, ...needed)
  const centres = new Map(columns.flat().map((cell) => [cell.id, height / 2]))
  const place = (column: Cell[], neighbours: Map<string, string[]>) => {
    const places = spread(
      column.map((cell) => wish(cell, neighbours, centres)),
      height,
    )
    for (const [index, cell] of column.entries()) centres.set(cell.id, places[index] ?? 0)
  }
  for (const column of columns) place(column, new Map())
  for (let round = 0; round < ROUNDS; round += 1) {
    if (round % 2 === 0) for (const column of columns) place(column, before)
    else for (const column of [...columns].reverse()) place(column, after)
  }
  return trim(columns.flat(), centres)
}

function wish(cell: Cell, neighbours: Map<string, string[]>, centres: Map<string, number>) {
  const others = (neighbours.get(cell.id) ?? []).map((id) => centres.get(id) ?? 0)
  const own = centres.get(cell.id) ?? 0
  const wanted = others.length === 0 ? own : others.reduce((sum, y) => sum + y, 0) / others.length
  return { wanted, weight: cell.bend ? BEND_WEIGHT : 1, room: cell.room }
}

/** The same places from 0 on. */
function trim(cells: readonly Cell[], centres: Map<string, number>) {
  if (cells.length === 0) return { centres, height: 0 }
  const tops = cells.map((cell) => (centres.get(cell.id) ?? 0) - cell.room / 2)
  const bottoms = cells.map((cell) => (centres.get(cell.id) ?? 0) + cell.room / 2)
  const top = Math.min(...tops)
  return { centres: new Map([...centres].map(([id, y]) => [id, y - top])), height: Math.max(...bottoms) - top }
}
