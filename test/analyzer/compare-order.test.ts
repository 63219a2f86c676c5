import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mostFirst } from '../../services/analyzer/graph/compare.ts'

const names = fc.constantFrom('a', 'b', 'c')
const row = fc.record({
  change: fc.constantFrom('new' as const, 'gone' as const, 'changed' as const),
  source: names,
  destination: names,
  requests: fc.nat(2),
  requests_before: fc.nat(2),
})

test('changes have one order, whichever they come in: what is cut off is the same each time', () => {
  fc.assert(
    fc.property(fc.array(row), fc.infiniteStream(fc.nat()), (rows, random) => {
      const shuffled = rows.map((one) => [random.next().value as number, one] as const).sort(([a], [b]) => a - b)
      const again = shuffled.map(([, one]) => one)
      const text = (sorted: typeof rows) =>
        sorted.map(({ change, source, destination, requests, requests_before: before }) =>
          [change, Math.max(requests, before), source, destination].join(' '),
        )
      expect(text(again.sort(mostFirst))).toEqual(text(rows.toSorted(mostFirst)))
    }),
    { seed: 1 },
  )
})
