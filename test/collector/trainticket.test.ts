import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pairSpans } from '../../services/analyzer/spans/pair.ts'
import { seeded } from './lines.ts'
import { toCollectorFile, toProtobuf } from './otlp.ts'
import { openTestStore, type TestStore } from './support.ts'
import { hasTrainticket, readTrainticket, TRAINTICKET, type Truth, truthOf } from './trainticket.ts'

interface Calls {
  calls: number
  edges: Map<string, number>
  operations: Set<string>
}

async function callsOf(store: TestStore): Promise<Calls> {
  await pairSpans(store.store)
  const rows = await store.rows<{ edge: string; operation: string; requests: number }>(
    `SELECT concat(source_workload, ' > ', destination_workload) AS edge, concat(edge, ' ', method, ' ', shape) AS operation, sum(requests) AS requests
     FROM span_call FINAL WHERE unpaired = '' GROUP BY source_workload, destination_workload, method, shape HAVING requests > 0`,
  )
  const edges = new Map<string, number>()
  for (const { edge, requests } of rows) edges.set(edge, (edges.get(edge) ?? 0) + requests)
  return {
    calls: rows.reduce((sum, { requests }) => sum + requests, 0),
    edges,
    operations: new Set(rows.map(({ operation }) => operation)),
  }
}

describe.skipIf(!hasTrainticket)('120,890 recorded spans of TrainTicket', () => {
  let truth: Truth
  let recorded: ReturnType<typeof readTrainticket>
  const stores: TestStore[] = []
  const open = async () => {
    const store = await openTestStore('trainticket')
    stores.push(store)
    return store
  }
  beforeAll(() => {
    recorded = readTrainticket()
    truth = truthOf(recorded.resources)
  }, 60_000)
  afterAll(async () => {
    for (const store of stores) await store.close()
  })

  async function expectTruth(store: TestStore) {
    const found = await callsOf(store)
    expect(found.calls).toBe(truth.calls)
    expect(found.edges).toEqual(truth.edges)
    expect([...found.operations].sort()).toEqual([...truth.operations].sort())
  }

  test('the truth, from the file by other means', () => {
    expect({
      spans: truth.spans,
      calls: truth.calls,
      edges: truth.edges.size,
      operations: truth.operations.size,
    }).toEqual({ spans: 120_890, calls: 18_574, edges: 55, operations: 68 })
    expect(truth.spans - truth.distinct).toBe(3_296)
  })

  test('the file gives exactly these calls; it again, and its pairing again, change nothing', async () => {
    const store = await open()
    expect(await store.path('otlp-traces', TRAINTICKET, '')).toMatchObject({ read: truth.spans, rejected: 0 })
    await expectTruth(store)
    expect(await store.path('otlp-traces', TRAINTICKET, '')).toMatchObject({ read: 0 })
    await expectTruth(store)
    await store.close()
    stores.pop()
  }, 120_000)

  test('in many files, in random order, many spans twice, paired in between: the same calls', async () => {
    const store = await open()
    const random = seeded(5)
    const one = recorded.resources.flatMap(({ attributes, spans }) =>
      spans.map((span) => ({ attributes, spans: [span] })),
    )
    const shuffled = one
      .map((resource) => ({ resource, at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ resource }) => resource)
    const packers = [(bytes: Buffer) => bytes, gzipSync, zstdCompressSync]
    for (let part = 0; part < 6; part++) {
      const from = part * (shuffled.length / 6)
      // Half of the next part too: it comes again.
      const spans = shuffled.slice(from, from + shuffled.length / 4)
      const requests = Array.from({ length: 20 }, (_, index) => toProtobuf(spans.filter((__, at) => at % 20 === index)))
      const bytes = part % 2 === 0 ? toCollectorFile(requests) : Buffer.concat(requests)
      await store.file('otlp-traces', packers[part % 3]!(bytes), '')
      if (part === 2) await pairSpans(store.store)
    }
    await expectTruth(store)
  }, 120_000)
})
