import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CalleeTemplates, SetAnswer } from '../../../services/api/templates.ts'
import type { Graph } from '../../../services/model/graph.ts'
import { openApi, type TestApi } from '../../api/support.ts'
import { values } from './cases.ts'
import { type Asked, insertRequests } from './requests.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi('stored-templates')
})
afterAll(() => api.close())

const names = values('user', 60)
/** Three parts of one traffic. */
const PARTS: Asked[][] = [
  names.slice(0, 20).map((name) => ({ path: `/users/${name}` })),
  [...names.slice(20, 40).map((name) => ({ path: `/users/${name}` })), { path: '/users/me', requests: 40 }],
  names.slice(40).flatMap((name) => [
    { path: `/users/${name}`, caller: 'admin' },
    { path: `/users/${name}/posts`, method: 'DELETE', caller: 'admin' },
  ]),
]

const send = async (callee: string, asked: readonly Asked[]) => await insertRequests(api.store, callee, asked)
const told = async (callee: string) =>
  (await api.ask(`/api/v1/templates/callee?callee=shop/${callee}`)).json<CalleeTemplates>()
const pathsOf = ({ templates }: CalleeTemplates) => templates.map(({ method, path }) => `${method} ${path}`)
const graphPaths = async (callee: string) => {
  const graph = (await api.ask('/api/v1/edges')).json<Graph>()
  const edges = graph.edges.filter(({ destination }) => destination === `shop/${callee}`)
  return [
    ...new Set(edges.flatMap(({ operations }) => operations.map(({ method, path }) => `${method} ${path}`))),
  ].sort()
}
const pin = async (word: Record<string, string>) =>
  await api.ask('/api/v1/templates/pins', { method: 'POST', payload: { who: 'kim', why: 'it is so', ...word } })

describe('what was learned is stored', () => {
  test('the same traffic in another order, learned in parts or at once, comes to the same templates', async () => {
    const orders = { forward: [0, 1, 2], back: [2, 1, 0], once: [1, 2, 0] }
    for (const [callee, order] of Object.entries(orders))
      for (const part of order) {
        await send(callee, PARTS[part] ?? [])
        if (callee !== 'once') await api.cinch.learnOperations()
      }
    await api.cinch.learnOperations()
    const [forward, back, once] = await Promise.all(Object.keys(orders).map(told))
    const counted = (one: CalleeTemplates | undefined) =>
      one?.templates.map(({ version: _version, since: _since, first_seen: _first, ...rest }) => rest)
    expect(counted(forward)).toEqual(counted(once))
    expect(counted(back)).toEqual(counted(once))
    expect(once && pathsOf(once)).toEqual(['DELETE /users/{value}/posts', 'GET /users/me', 'GET /users/{value}'])
    expect(once?.templates[2]).toMatchObject({
      paths: 60,
      requests: 60,
      callers: ['shop/admin', 'shop/web'],
      open: true,
    })
    expect(once?.templates[1]?.first_seen).toMatch(/^2026-11-17T05:00:\d\d/)
  })

  test('each version says what became of the ones before', async () => {
    const { changes, set } = await told('forward')
    expect(set.version).toBe(3)
    expect(changes.map(({ version, change, id, from }) => [version, change, id, from])).toEqual([
      [3, 'new', 'DELETE /users/{}/posts', []],
      [2, 'new', 'GET /users/me', ['GET /users/{}']],
      [1, 'new', 'GET /users/{}', []],
    ])
  })

  test('what is learned again without anything new changes nothing', async () => {
    const before = (await api.ask('/api/v1/templates')).json<{ callees: SetAnswer[] }>()
    await api.cinch.learnOperations()
    expect((await api.ask('/api/v1/templates')).json()).toEqual(before)
  })

  test('a question reads it and does not learn', async () => {
    await send('asked', [...(PARTS[0] ?? []), { path: '/health', requests: 9 }])
    expect(await graphPaths('asked')).toHaveLength(21)
    expect((await api.ask('/api/v1/templates/callee?callee=shop/asked')).statusCode).toBe(404)
    await api.cinch.learnOperations()
    expect(await graphPaths('asked')).toEqual(['GET /health', 'GET /users/{value}'])
    await send('asked', [{ path: '/orders/new', requests: 50 }])
    expect(await graphPaths('asked')).toContain('GET /orders/new')
    expect((await told('asked')).set.version).toBe(1)
  })

  test('a name that is too rare for a template is not swallowed by one that is stored', async () => {
    const people = names.map((name) => ({ path: `/users/${name}` }))
    await send('rare', [...people, { path: '/users/all', requests: 4, caller: 'admin' }])
    await api.cinch.learnOperations()
    // Only now the caller of the name has values, too: what is stored decides, not what would be learned of it.
    await send(
      'rare',
      ['x', 'y', 'z'].map((name) => ({ path: `/users/${name}`, caller: 'admin' })),
    )
    const { set, templates } = await told('rare')
    expect(templates.map(({ path }) => path)).toEqual(['/users/{value}'])
    expect(set).toMatchObject({ rare_paths: 1, rare_requests: 4, full_paths: 0, left_out_paths: 0, paths: 61 })
    expect(await graphPaths('rare')).toEqual(['GET /users/all', 'GET /users/{value}'])
  })
})

describe("a person's word", () => {
  const regions = ['eu', 'us'].flatMap((region) => [{ path: `/regions/${region}`, requests: 20 }])

  test('merges what counts keep apart, stays when more comes, and can be lifted', async () => {
    await send('pinned', regions)
    await api.cinch.learnOperations()
    expect(pathsOf(await told('pinned'))).toEqual(['GET /regions/eu', 'GET /regions/us'])
    const merged = await pin({ callee: 'shop/pinned', kind: 'merge', at: '/regions/{}' })
    expect(merged.statusCode).toBe(200)
    expect(pathsOf(merged.json())).toEqual(['GET /regions/{value}'])
    const { changes, pins } = merged.json<CalleeTemplates>()
    expect(changes.slice(0, 3)).toMatchObject([
      { version: 2, change: 'gone', id: 'GET /regions/eu', from: ['GET /regions/{}'] },
      { version: 2, change: 'gone', id: 'GET /regions/us', from: ['GET /regions/{}'] },
      { version: 2, change: 'new', id: 'GET /regions/{}', from: ['GET /regions/eu', 'GET /regions/us'] },
    ])
    expect(pins).toMatchObject([{ kind: 'merge', at: '/regions/{}', who: 'kim', why: 'it is so' }])

    await send('pinned', [{ path: '/regions/asia', requests: 500 }])
    await api.cinch.learnOperations()
    expect(pathsOf(await told('pinned'))).toEqual(['GET /regions/{value}'])
    expect(await graphPaths('pinned')).toEqual(['GET /regions/{value}'])

    expect((await pin({ callee: 'shop/pinned', kind: 'none', at: '/regions/{}' })).statusCode).toBe(200)
    expect(pathsOf(await told('pinned'))).toHaveLength(3)
    expect(await api.rows('SELECT kind, who FROM operation_pin ORDER BY said')).toEqual([
      { kind: 'merge', who: 'kim' },
      { kind: 'none', who: 'kim' },
    ])
  })

  test('splits a name off, however rarely it is asked for', async () => {
    await send('split', [...names.map((name) => ({ path: `/users/${name}` })), { path: '/users/admin' }])
    await api.cinch.learnOperations()
    expect(await graphPaths('split')).toEqual(['GET /users/{value}'])
    await pin({ callee: 'shop/split', kind: 'split', at: '/users/admin' })
    expect(await graphPaths('split')).toEqual(['GET /users/admin', 'GET /users/{value}'])
  })

  test.each([
    [{ callee: 'shop/nobody', kind: 'split', at: '/a' }, 404],
    [{ callee: 'shop/split', kind: 'none', at: '/never' }, 404],
    [{ callee: 'shop/split', kind: 'merge', at: '/users' }, 400],
    [{ callee: 'shop/split', kind: 'split', at: '/users/{}' }, 400],
    [{ callee: 'shop/split', kind: 'split', at: 'users' }, 400],
    [{ callee: 'shop/split', kind: 'split', at: '/users/{int}/x' }, 400],
    [{ callee: 'shop/split', kind: 'split', at: '/users/x', why: ' ' }, 400],
    [{ callee: 'shop/split', kind: 'forget', at: '/users/x' }, 400],
  ])('%j is refused', async (word, status) => {
    expect((await pin(word)).statusCode).toBe(status)
  })
})
