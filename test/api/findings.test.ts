import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Assessment } from '../../services/model/check.ts'
import type { Finding, FindingListing, FindingWord } from '../../services/model/finding.ts'
import { insertRequests, type Row } from '../analyzer/checks/rows.ts'
import { openApi, type TestApi } from './support.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi('findings')
}, 60_000)
afterAll(() => api.close())

const DAY_MS = 86_400_000
const day = (n: number) => new Date(Date.parse('2026-03-01T10:00:00Z') + n * DAY_MS).toISOString()
const PLAINTEXT: Row = { times: 1, from: '', address: '10.0.0.9', mtls: 'no' }
const CHECK = 'encrypted-hops'

const list = async (query: Record<string, string> = {}) => {
  const answer = await api.ask(`/api/v1/findings?${new URLSearchParams({ check: CHECK, ...query })}`)
  expect(answer.statusCode, answer.body).toBe(200)
  return answer.json<FindingListing>()
}
const say = async (id: string, payload: object) =>
  await api.ask(`/api/v1/findings/${id}`, { method: 'POST', payload: { why: 'a test', ...payload } })
const check = async () => {
  const answer = await api.ask('/api/v1/checks?requirement=ID-SEG-REC-1')
  const { requirements, checks } = answer.json<Assessment>()
  return { verdict: requirements[0]?.verdict, check: checks[0] }
}
const happens = async (n: number, rows: Row[]) => {
  await insertRequests(api, 'shop', day(n), rows)
  await api.cinch.analyze()
}

test('nothing came: nothing is found', async () => {
  expect(await list({ state: 'all' })).toMatchObject({ findings: [], groups: [], left_out: 0 })
})

test('a fault is one finding however often it is looked at, with what shows it', async () => {
  await happens(0, [{}, PLAINTEXT])
  const [first, again] = [await list(), await list()]
  expect(first.findings).toEqual(again.findings)
  expect(first.window).toEqual({ since: '2026-02-28T11:00:00Z', until: '2026-03-01T11:00:00Z' })
  expect(first.groups).toMatchObject([{ check: CHECK, place: 'shop/orders', findings: 1, severity: 'high' }])
  expect(first.findings).toMatchObject([
    {
      ...{
        subject: 'address:10.0.0.9 -> shop/orders',
        state: 'open',
        who: '',
        title: expect.stringMatching(/^1 of 1 /),
      },
      ...{ first_seen: '2026-03-01T10:00:00.000000Z', last_seen: '2026-03-01T10:00:00.000000Z', share: 1 },
      evidence: { counts: { met: 0, unmet: 1, untold: 0 }, parameters: first.window, queries: ['calls', 'noise'] },
    },
  ])
})

const theOne = async () => (await list({ state: 'all' })).findings[0] as Finding

test('what people say of it is kept, and what does not fit is refused', async () => {
  const { id } = await theOne()
  expect((await say(id.slice(0, 8), { act: 'acknowledge' })).json()).toMatchObject({
    state: 'acknowledged',
    who: 'admin',
  })
  expect((await say(id, { act: 'acknowledge' })).json()).toMatchObject({ error: { code: 'step_refused' } })
  expect((await say(id, { act: 'accept', owner: 'team' })).json()).toMatchObject({ error: { code: 'bad_option' } })
  expect((await say(id, { act: 'false', why: ' ' })).json()).toMatchObject({ error: { code: 'bad_option' } })
  expect((await say('0000', { act: 'false' })).json()).toMatchObject({ error: { code: 'not_found' } })
  expect((await say('x', { act: 'false' })).json()).toMatchObject({ error: { code: 'bad_option' } })
  expect((await list()).findings).toEqual([])
  expect((await list({ state: 'acknowledged', since: day(1) })).findings).toEqual([])
  const until = new Date(Date.now() + DAY_MS).toISOString()
  expect((await say(id, { act: 'accept', owner: 'team', until })).json()).toMatchObject({ state: 'accepted', until })
})

test('a false one tunes its check at that subject, visibly, until it is reopened', async () => {
  expect(await check()).toMatchObject({ verdict: 'not_met', check: { tuned: [] } })
  const { id } = await theOne()
  expect((await say(id, { act: 'false', why: 'a test probe' })).json()).toMatchObject({ state: 'false', tolerated: 1 })
  expect(await check()).toMatchObject({
    verdict: 'met',
    check: {
      why: expect.stringContaining('1 are left out'),
      evidence: { counts: { met: 150, unmet: 0, untold: 0 } },
      tuned: [{ finding: id, why: 'a test probe', who: 'admin', tolerated: 1, left_out: 1 }],
    },
  })
  expect((await list({ state: 'false' })).findings).toHaveLength(1)
  await say(id, { act: 'reopen' })
  expect(await check()).toMatchObject({ verdict: 'not_met', check: { tuned: [] } })
  const words = (await api.ask(`/api/v1/findings/${id}`)).json<{ words: FindingWord[] }>().words
  expect(words.map(({ state, who }) => `${state} ${who}`.trim())).toEqual([
    ...['open', 'acknowledged admin', 'accepted admin', 'false admin', 'open admin'],
  ])
})

test('too little is no sign that it is gone; enough is, and it comes back', async () => {
  await happens(2, [{ times: 20 }])
  expect(await theOne()).toMatchObject({ state: 'open' })
  await happens(2, [{}])
  expect(await theOne()).toMatchObject({ state: 'resolved', why: expect.stringContaining('not seen from 2026-03-02') })
  await happens(4, [{}, PLAINTEXT])
  expect(await theOne()).toMatchObject({
    state: 'open',
    why: 'it came back',
    first_seen: '2026-03-01T10:00:00.000000Z',
  })
})

test('a line of a time to come moves nobody’s eyes from today', async () => {
  await insertRequests(api, 'shop', '2099-01-01T00:00:00Z', [{ times: 1 }])
  const { window } = await list()
  expect(Date.parse(window?.until ?? '') - Date.now()).toBeLessThanOrEqual(3_600_000)
})

test('policies that are deployed and were not approved are findings until they are gone', async () => {
  const policy = (name: string) =>
    `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: ${name}, namespace: shop }\nspec: {}\n`
  const readBack = async (names: string[]) => {
    const files = names.map((name) => ({ path: `${name}.yaml`, content: policy(name) }))
    const answer = await api.ask('/api/v1/policies/read-back', { method: 'POST', payload: { files, why: 'a test' } })
    expect(answer.statusCode, answer.body).toBe(200)
    return (await list({ check: 'policy-drift', state: 'all' })).findings.map(
      ({ subject, state }) => `${subject} ${state}`,
    )
  }
  const asked = { why: 'a test', since: day(0), until: day(5), selector: 'app={workload}' }
  const drafts = await api.ask('/api/v1/policies/drafts', { method: 'POST', payload: asked })
  expect(drafts.statusCode, drafts.body).toBe(200)
  const foreign = await readBack(['one', 'two'])
  expect(foreign).toHaveLength(2)
  expect(foreign.every((text) => /^istio: foreign .*(one|two).* open$/.test(text))).toBe(true)
  expect((await readBack(['two'])).toSorted()).toEqual([
    expect.stringMatching(/one.* resolved$/),
    expect.stringMatching(/two.* open$/),
  ])
})
