/** Below twice this the count is exact; above, the standard error is 1 / sqrt(KEPT), 6 %. */
const KEPT = 256

/**
 * How many distinct hashes were added, in bounded memory: the smallest are kept, and how densely they lie tells how many
 * there are (k minimum values: Bar-Yossef et al., "Counting distinct elements in a data stream", 2002).
 */
export class Distinct {
  #kept = new Set<number>()
  #limit = 2 ** 32

  /** @param hash 32 bits, evenly spread */
  add(hash: number): void {
    if (hash >= this.#limit) return
    this.#kept.add(hash)
    if (this.#kept.size < 2 * KEPT) return
    const smallest = this.#smallest()
    this.#kept = new Set(smallest)
    this.#limit = (smallest.at(-1) ?? 0) + 1
  }

  get count(): number {
    if (this.#limit === 2 ** 32) return this.#kept.size
    return Math.round(((KEPT - 1) * 2 ** 32) / ((this.#smallest().at(-1) ?? 0) + 1))
  }

  #smallest(): number[] {
    return [...Float64Array.from(this.#kept).sort().subarray(0, KEPT)]
  }
}
