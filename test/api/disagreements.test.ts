import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DisagreementsAnswer } from '../../services/api/disagreements.ts'
import { operator } from '../../services/collector/origin.ts'
import type { FindingListing } from '../../services/model/finding.ts'
import type { Graph } from '../../services/model/graph.ts'
import { disagreementRows } from '../../services/store/queries/join-answers.ts'
import { openedBy, taken } from '../analyzer/join-lines.ts'
import { accessLine } from '../support/telemetry.ts'
import { openApi, type TestApi } from './support.ts'

const WINDOW = { since: '2026-11-05T10:00:00Z', until: '2026-11-05T12:00:00Z' }

let api: TestApi
beforeAll(async () => {
  api = await openApi('disagreements')
})
afterAll(() => api.close())

async function send(...lines: string[]): Promise<void> {
  await api.cinch.ingestRequest('istio-json', operator(), Buffer.from(lines.join('\n')))
  await api.cinch.analyze()
}
const disagreements = async (query = '') => (await api.ask(`/api/v1/disagreements${query}`)).json<DisagreementsAnswer>()
const graph = async (path: string) => (await api.ask(`/api/v1/${path}`)).json<Graph>()

test('nothing yet: nobody disagrees, nobody is missing', async () => {
  expect(await disagreements()).toMatchObject({ disagreements: [], left_out: 0 })
})

test('two that claim one connection: who they are, how often, since when', async () => {
  await send(
    taken('10.0.0.3:100'),
    taken('10.0.0.3:100', { start_time: '2026-11-05T11:00:01.000Z', response_code: 403, response_flags: 'UAEX' }),
    openedBy('web', '10.0.0.3:100'),
    openedBy('mail', '10.0.0.3:100'),
    openedBy('web', '10.0.0.3:100', { start_time: '2026-11-05T11:00:00.000Z' }),
    openedBy('mail', '10.0.0.3:100', { start_time: '2026-11-05T11:00:01.000Z' }),
  )
  const { disagreements: found } = await disagreements()
  expect(found).toEqual([
    {
      callee: 'shop/orders',
      kind: 'two_callers',
      caller: '',
      evidence: 'none',
      said: 'shop/mail shop/web',
      requests: 1,
      denied: 1,
      first_seen: '2026-11-05T10:00:30.000000Z',
      last_seen: '2026-11-05T11:00:01.000000Z',
    },
  ])
  expect((await disagreements('?since=2026-11-05T11:00:00Z')).disagreements).toMatchObject([{ requests: 0, denied: 1 }])
  expect((await disagreements('?until=2026-11-05T10:00:00Z&since=2026-11-05T09:00:00Z')).disagreements).toEqual([])
})

test('why a caller has no name: with an address beside its edge, else beside its callee', async () => {
  await send(
    taken('10.0.0.8:100', { path: '/b' }),
    taken('10.0.0.8:100', { path: '/c' }),
    // Sent twice: counted twice, and looked at once.
    ...Array.from({ length: 2 }, () => taken('10.0.0.9:0', { path: '/d' })),
    taken('10.0.0.9:0', { path: '/e' }),
  )
  const unattributed = [
    { destination: 'shop/orders', reason: 'forwarded_address', requests: 2 },
    { destination: 'shop/orders', reason: 'unknown', requests: 1 },
  ]
  for (const path of ['graph', 'edges']) {
    const { edges, unattributed: found } = await graph(path)
    expect(found, path).toEqual(unattributed)
    const unnamed = edges.flatMap((edge) => (edge.unnamed ? [[edge.source, edge.unnamed]] : []))
    expect(unnamed, path).toEqual([
      ['address:10.0.0.3', { two_callers: 2 }],
      ['address:10.0.0.8', { unknown_address: 2 }],
    ])
  }
})

test('a caller that is found later has a name, and no reason any more', async () => {
  await send(openedBy('web', '10.0.0.8:100', { path: '/b' }), openedBy('web', '10.0.0.8:100', { path: '/c' }))
  const { edges } = await graph('edges')
  expect(edges.find(({ source }) => source === 'address:10.0.0.8')).toBeUndefined()
  expect(edges.find(({ source, evidence }) => source === 'shop/web' && evidence === 'joined')).not.toHaveProperty(
    'unnamed',
  )
})

test('a claimed identity of another namespace is told beside whom the connection tells, whatever its text', async () => {
  const claim = (path: string) => `cluster.local/ns/bank/sa/admin' OR 1=1 --\u001b[2J${path}`
  const forged = (path: string, uri: string) =>
    taken('10.0.0.5:100', { path, x_forwarded_client_cert: `URI=spiffe://${uri}` })
  await send(
    forged('/f', claim('/f')),
    // Its own namespace is no disagreement: a service account may be called anything.
    forged('/g', 'cluster.local/ns/shop/sa/other'),
    openedBy('cart', '10.0.0.5:100', { path: '/f' }),
    openedBy('cart', '10.0.0.5:100', { path: '/g' }),
  )
  const { disagreements: found } = await disagreements()
  expect(
    found.map(({ kind, caller, evidence, said, requests }) => ({ kind, caller, evidence, said, requests })),
  ).toEqual(
    expect.arrayContaining([
      { kind: 'claimed', caller: 'shop/cart', evidence: 'joined', said: claim('/f'), requests: 1 },
    ]),
  )
  expect(found).toHaveLength(2)
})

test('of very many disagreements those of the most requests are listed, and all are counted', async () => {
  const [first] = await disagreementRows(api.store.reads, WINDOW, 1)
  expect(first).toMatchObject({ kind: 'two_callers', total: 2 })
})

test('a bad time is refused', async () => {
  const answer = await api.ask('/api/v1/disagreements?since=never')
  expect(answer.statusCode).toBe(400)
  expect(answer.json()).toMatchObject({ error: { code: 'bad_time' } })
})

test('one identity in two clusters is told: who may call as the one may as the other', async () => {
  const { shared_principals: before } = await disagreements()
  expect(before).toEqual([])
  for (const cluster of ['east', 'west', 'east']) {
    const line = accessLine({ to: 'shop/twins' })
    await api.cinch.ingestRequest('istio-json', operator(cluster), Buffer.from(line))
  }
  await api.cinch.ingestRequest('istio-json', operator('west'), Buffer.from(accessLine({ to: 'shop/alone' })))
  expect((await disagreements()).shared_principals).toEqual([
    { principal: 'cluster.local/ns/shop/sa/twins', clusters: ['east', 'west'] },
  ])
})

test('each is a finding, of those that it was said of', async () => {
  const { findings } = (await api.ask('/api/v1/findings?check=caller-disagreement')).json<FindingListing>()
  expect(findings.length).toBeGreaterThan(0)
  expect(findings).toContainEqual(
    expect.objectContaining({
      ...{ subject: 'two_callers ? / shop/mail shop/web -> shop/orders', place: 'shop/orders', severity: 'high' },
      ...{ state: 'open', last_seen: '2026-11-05T11:00:01.000000Z' },
    }),
  )
})
