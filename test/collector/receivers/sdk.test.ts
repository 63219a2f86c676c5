import { afterAll, beforeAll, expect, test } from 'vitest'
import { exporter, sendCalls, type Way } from './sdk.ts'
import { openReceivers, type TestReceivers } from './support.ts'

let receivers: TestReceivers
beforeAll(async () => {
  receivers = await openReceivers('sdk')
})
afterAll(() => receivers.close())

test.each<[Way, boolean]>([
  ['protobuf', false],
  ['protobuf', true],
  ['json', true],
  ['grpc', false],
  ['grpc', true],
])('calls of the SDK over %s (gzip: %s) are one edge with their number', async (way, gzip) => {
  const id = `${way}-${gzip}`
  const token = await receivers.register(id, ['otlp-traces'], { cluster: id })
  const to = () => exporter(way, receivers, token, gzip)
  await sendCalls({ caller: to(), callee: to() }, 1500)
  expect(await receivers.spans(id)).toEqual({ spans: 3000, accepted: 3000, rejected: 0 })
  await receivers.cinch.analyze()
  const graph = await receivers.cinch.graph({})
  const calls = await receivers.rows(
    `SELECT source_workload AS from, destination_workload AS to, sum(requests) AS n FROM span_call FINAL
     WHERE cluster = {cluster:String} AND unpaired = '' GROUP BY ALL`,
    { cluster: id },
  )
  expect(calls).toEqual([{ from: 'web', to: 'orders', n: 1500 }])
  expect(graph.edges).toHaveLength(1)
  expect(receivers.faults).toEqual([])
  expect(receivers.spooled()).toEqual([])
})
