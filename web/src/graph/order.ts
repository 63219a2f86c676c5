/** Columns of cells from left to right, each from top to bottom, and the neighbours of each cell on either side. */
export interface Columns {
  columns: string[][]
  before: Map<string, string[]>
  after: Map<string, string[]>
}

const SWEEPS = 16

/**
 * Reorders each column so that few links cross: sweeps to and fro, each cell going to the mean position of its
 * neighbours, and the best order seen is kept (Sugiyama, Tagawa and Toda, 1981). Links only join neighbouring columns.
 */
export function order({ columns, before, after }: Columns): string[][] {
  let current = columns.map((column) => [...column])
  let best = current
  let fewest = crossings(current, after)
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep += 1) {
    current = sweep % 2 === 0 ? sweepOver(current, before) : sweepOver([...current].reverse(), after).reverse()
    const crossed = crossings(current, after)
    if (crossed < fewest) {
      fewest = crossed
      best = current
    }
  }
  return best
}

function sweepOver(columns: string[][], neighbours: Map<string, string[]>): string[][] {
  const result: string[][] = []
  let position = new Map<string, number>()
  for (const column of columns) {
    const mean = new Map(column.map((id, index) => [id, meanOf(neighbours.get(id) ?? [], position, index)]))
    const sorted = [...column].sort((a, b) => (mean.get(a) ?? 0) - (mean.get(b) ?? 0))
    position = relative(sorted)
    result.push(sorted)
  }
  return result
}

function meanOf(ids: string[], position: Map<string, number>, otherwise: number): number {
  const known = ids.flatMap((id) => position.get(id) ?? [])
  return known.length === 0 ? otherwise : known.reduce((sum, value) => sum + value, 0) / known.length
}

function relative(column: string[]): Map<string, number> {
  return new Map(column.map((id, index) => [id, index]))
}

/** How many pairs of links between neighbouring columns cross. */
export function crossings(columns: string[][], after: Map<string, string[]>): number {
  let sum = 0
  for (let index = 0; index + 1 < columns.length; index += 1) {
    const right = relative(columns[index + 1] ?? [])
    const ends = (columns[index] ?? []).flatMap((id) =>
      (after.get(id) ?? []).flatMap((other) => right.get(other) ?? []).sort((a, b) => a - b),
    )
    sum += inversions(ends)
  }
  return sum
}

/** Pairs that stand in the wrong order, by merge sort: a dense graph has many thousands of links between two columns. */
function inversions(values: number[]): number {
  if (values.length < 2) return 0
  const middle = values.length >> 1
  const left = values.slice(0, middle)
  const right = values.slice(middle)
  let sum = inversions(left) + inversions(right)
  let at = 0
  for (let index = 0, taken = 0; index < values.length; index += 1) {
    const a = left[taken]
    const b = right[at]
    if (a !== undefined && (b === undefined || a <= b)) {
      values[index] = a
      taken += 1
    } else if (b !== undefined) {
      values[index] = b
      at += 1
      sum += left.length - taken
    }
  }
  return sum
}
