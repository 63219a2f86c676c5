import { type Entry, type Node, REQUESTS_MIN } from './cells.ts'
import type { Lexicon } from './rows.ts'
import { skeleton, TAIL } from './skeleton.ts'
import type { Sequence } from './tree.ts'

/** How many times more often a text is one thing than the other at the other nodes of the tree. */
const CLEAR = 4
/** So many values of a closed cell must be values elsewhere, before they are so here. */
const VALUES_MIN = 3

/** What texts are at the nodes of a tree: requests as a name, and as a value. */
export class Elsewhere {
  readonly #uses = new Map<number, Map<string, { name: number; value: number }>>()

  constructor(sequences: readonly Sequence[], lexicon: Lexicon) {
    for (const { tokens, rows } of sequences)
      for (const [depth, token] of tokens.entries()) {
        const node = skeleton(tokens.slice(0, depth), lexicon)
        const as = token > TAIL ? 'name' : 'value'
        for (const row of rows) this.#add(row.tokens[depth] ?? 0, node, as, row.requests)
      }
  }

  #add(token: number, node: string, as: 'name' | 'value', requests: number): void {
    const uses = this.#uses.get(token) ?? new Map<string, { name: number; value: number }>()
    this.#uses.set(token, uses)
    const use = uses.get(node) ?? { name: 0, value: 0 }
    uses.set(node, use)
    use[as] += requests
  }

  /**
   * Corrects what the counts of a node's cells say by what its texts are elsewhere: an API calls the same thing by the same
   * name, and its parameters have the same values. A popular text of an open cell is a name if it is one at other nodes;
   * the texts of a closed cell are values if several are at other nodes.
   */
  correct(node: Node, prefix: string, lexicon: Lexicon): void {
    for (const cell of node.cells) {
      const entries = cell.entries.filter(({ token }) => !lexicon.typed[token] && !lexicon.fixed[token])
      if (cell.open) {
        for (const entry of entries)
          if (entry.requests >= REQUESTS_MIN && this.#isMostly('name', entry, prefix)) entry.verdict = 'literal'
        continue
      }
      const values = entries.filter((entry) => entry.verdict === 'literal' && this.#isMostly('value', entry, prefix))
      if (values.length >= VALUES_MIN && values.length * 2 >= entries.length)
        for (const entry of values) entry.verdict = 'value'
    }
  }

  #isMostly(what: 'name' | 'value', { token }: Entry, prefix: string): boolean {
    const all = { name: 0, value: 0 }
    for (const [node, { name, value }] of this.#uses.get(token) ?? []) {
      if (node === prefix) continue
      all.name += name
      all.value += value
    }
    const other = what === 'name' ? all.value : all.name
    return all[what] >= REQUESTS_MIN && all[what] >= CLEAR * other
  }
}
