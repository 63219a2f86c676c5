/** A cell of a column: where it would like its centre to be, how much it insists, and the room that it takes, gaps included. */
export interface Wish {
  wanted: number
  weight: number
  room: number
}

/**
 * Centres for the cells of one column, in the given order, between 0 and `height`, without overlap and with the least
 * squared distance from what they wanted. Exact, by pooling adjacent violators (isotonic regression) on the positions
 * less the room before them; cutting that solution off at the bounds keeps it the best one. A column that needs more
 * than `height` gets what it needs.
 */
export function spread(wishes: readonly Wish[], height: number): number[] {
  const before: number[] = []
  let used = 0
  for (const wish of wishes) {
    before.push(used + wish.room / 2)
    used += wish.room
  }
  const pools: { sum: number; weight: number; size: number }[] = []
  for (const [index, wish] of wishes.entries()) {
    let pool = { sum: (wish.wanted - (before[index] ?? 0)) * wish.weight, weight: wish.weight, size: 1 }
    for (
      let last = pools.at(-1);
      last !== undefined && last.sum / last.weight >= pool.sum / pool.weight;
      last = pools.at(-1)
    ) {
      pool = { sum: last.sum + pool.sum, weight: last.weight + pool.weight, size: last.size + pool.size }
      pools.pop()
    }
    pools.push(pool)
  }
  const shifts = pools.flatMap((pool) => Array.from({ length: pool.size }, () => pool.sum / pool.weight))
  const most = Math.max(0, height - used)
  return shifts.map((shift, index) => Math.min(most, Math.max(0, shift)) + (before[index] ?? 0))
}
