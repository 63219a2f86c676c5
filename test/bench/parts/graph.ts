import { createBooks } from '../../../services/analyzer/graph/book.ts'
import { type Figure, format, type Part } from '../bench.ts'
import { measureGraph } from '../graph.ts'
import { EDGES } from '../lines.ts'

/** The graph of a day, and how it grows with the requests of that day. */
export const graph: Part = {
  name: 'graph',
  run: async ({ quick, withStore }) => {
    const figures: Figure[] = []
    const times: number[] = []
    for (const requests of quick ? [100_000, 1_000_000] : [1_000_000, 10_000_000]) {
      const found = await withStore(async (store) => {
        const books = createBooks(store)
        return await measureGraph(store, requests, async (window) => (await books.read(window)).rows)
      })
      if (found.edges !== EDGES) throw new Error(`${found.edges} edges instead of ${EDGES}`)
      times.push(found.milliseconds)
      console.log(
        `graph of a day of ${format(requests)} requests: ${format(found.milliseconds)} ms (first ${format(found.first)} ms, whole answer ${format(found.answer)} ms)`,
      )
      figures.push(
        {
          what: `graph of a day, ${EDGES} edges, ${format(requests)} requests: query`,
          value: found.milliseconds,
          unit: 'ms',
          asked: 'at most 50',
        },
        { what: '  with names, as the API answers', value: found.answer, unit: 'ms' },
      )
    }
    const growth = (times[1] ?? 0) / (times[0] ?? 1)
    return [...figures, { what: 'ten times the requests', value: growth, unit: 'times', asked: 'at most 1.2' }]
  },
}
