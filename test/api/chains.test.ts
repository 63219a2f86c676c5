import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ChainAnswer } from '../../services/analyzer/chains/describe.ts'
import type { ChainsAnswer } from '../../services/api/chains.ts'
import { type ShortSpan, spanLine } from '../support/telemetry.ts'
import { openApi, type TestApi } from './support.ts'

const HOUR = Date.parse('2026-11-05T10:00:00Z')
/** Ends in what would end a statement, a line, a string. */
const HOSTILE = "/o';\n--\\\u0000\"; DROP TABLE span; SELECT '"

let api: TestApi
beforeAll(async () => {
  api = await openApi('chains')
})
afterAll(() => api.close())

function checkout(trace: number, at: number, route = '/orders'): ShortSpan[] {
  const span = { trace, at }
  return [
    { ...span, id: 1, service: 'web', kind: 'server', method: 'POST', route: '/checkout' },
    { ...span, id: 2, parent: 1, service: 'web', kind: 'client', method: 'GET', route },
    { ...span, id: 3, parent: 2, service: 'orders', kind: 'server', method: 'GET', route },
  ]
}

async function send(spans: ShortSpan[]): Promise<void> {
  await api.cinch.ingestRequest(
    'otlp-traces',
    (await import('../../services/collector/origin.ts')).operator(),
    Buffer.from(spanLine(spans)),
  )
  await api.cinch.analyze()
}
const chains = async (query = '') => (await api.ask(`/api/v1/chains${query}`)).json<ChainsAnswer>()

test('nothing yet: no chains', async () => {
  expect(await chains()).toMatchObject({ chains: 0, complete: 0, roots: [], left_out: 0 })
})

test('late and repeated spans, also over the edge of a minute: each chain once, in its last form', async () => {
  for (let trace = 1; trace <= 10; trace++) {
    // The callee's span first, and the root, which began in the minute before, last.
    const [root, client, server] = checkout(trace, HOUR + trace * 120_000)
    await send([{ ...server!, at: server!.at! + 1 }])
    await send([client!, server!])
    await send([{ ...root!, at: root!.at! - 1 }, client!])
  }
  const answer = await chains()
  expect(answer).toMatchObject({ chains: 10, complete: 10, context_lost: [], left_out: 0 })
  expect(answer.roots).toMatchObject([
    {
      callee: 'shop/web',
      method: 'POST',
      path: '/checkout',
      chains: 10,
      complete: 10,
      breaks: [],
      shapes: [{ chains: 10, share: 1, calls: 2, is_new: false }],
    },
  ])
  expect(answer.roots[0]?.shapes[0]?.tree).toMatchObject({
    callee: 'shop/web',
    calls: [{ callee: 'shop/orders', path: '/orders' }],
  })
})

test('a break is told with its place, its reason and a trace, which shows the rest', async () => {
  await send(checkout(11, HOUR + 3_600_000).filter(({ id }) => id !== 2))
  const answer = await chains()
  expect(answer).toMatchObject({ chains: 11, complete: 10 })
  const [place] = answer.roots.flatMap(({ breaks }) => breaks)
  expect(place).toMatchObject({ kind: 'parent_missing', callee: 'shop/orders', operation: 'GET /orders', chains: 1 })
  const chain = (await api.ask(`/api/v1/chains/${place?.samples[0]}`)).json<ChainAnswer>()
  expect(chain).toMatchObject({ complete: false, shape: '', calls: 2, breaks: [{ kind: 'parent_missing' }] })
  expect(chain.hops[0]).toMatchObject({
    callee: 'shop/web',
    calls: [{ callee: 'shop/orders', gaps: ['parent_missing'], client_span: false }],
  })
})

test('a shape that no chain before the window had is new', async () => {
  await send(checkout(12, HOUR + 7_200_000, '/baskets'))
  const [root] = (await chains('?since=2026-11-05T12:00:00Z')).roots
  expect(root?.shapes).toMatchObject([{ chains: 1, is_new: true }])
  expect((await chains('?root=nowhere')).roots).toEqual([])
})

test('text that ends a statement is text', async () => {
  await send(checkout(13, HOUR + 10_800_000, HOSTILE))
  expect(await chains()).toMatchObject({ chains: 13 })
  expect(
    await api.rows("SELECT count() AS spans FROM span WHERE trace_id = unhex(leftPad(hex(toUInt8(13)), 32, '0'))"),
  ).toEqual([{ spans: 3 }])
})

test.each([
  ['/api/v1/chains/xyz', 400, 'bad_option'],
  [`/api/v1/chains/${'f'.repeat(32)}`, 404, 'not_found'],
  ['/api/v1/chains?since=never', 400, 'bad_time'],
])('%s: %d %s', async (url, status, code) => {
  const answer = await api.ask(url)
  expect(answer.statusCode).toBe(status)
  expect(answer.json()).toMatchObject({ error: { code } })
})
