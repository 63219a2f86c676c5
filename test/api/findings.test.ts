import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChains } from '../../services/analyzer/chains/find.ts'
import { operator } from '../../services/collector/origin.ts'
import type { Attestation } from '../../services/model/attestation.ts'
import type { Assessment, VerdictDay } from '../../services/model/check.ts'
import type { Finding, FindingListing, FindingWord } from '../../services/model/finding.ts'
import { sayAttestation } from '../../services/store/queries/attestations.ts'
import { recordsNotChained } from '../../services/store/queries/chains.ts'
import { insertRequests, type Row } from '../analyzer/checks/rows.ts'
import { type ShortSpan, spanLine } from '../support/telemetry.ts'
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

test('verdicts are kept by the day', async () => {
  const ask = async (query: string) =>
    (await api.ask(`/api/v1/checks/trend?${query}`)).json<{ days: VerdictDay[] }>().days
  const days = await ask('requirement=id-seg-rec-1&since=2026-02-01')
  expect(days.map(({ day: at, verdict }) => `${at} ${verdict}`)).toEqual([
    // Last looked at while the finding was called false.
    ...['2026-03-01 met', '2026-03-03 met', '2026-03-05 not_met'],
    // The line of a time to come: nothing is known of today.
    `${new Date().toISOString().slice(0, 10)} not_enough_data`,
  ])
  expect((await ask('since=2026-02-01')).length).toBeGreaterThan(100)
})

test('a part of the platform: what is outside of it shows nothing', async () => {
  const verdict = async (query: string) => {
    const answer = await api.ask(`/api/v1/checks?requirement=ID-SEG-REC-1&until=${day(5)}&${query}`)
    const { checks } = answer.json<Assessment>()
    return checks.map(({ verdict: found, evidence: { counts } }) => [found, counts.met + counts.unmet])
  }
  expect(await verdict('namespace=shop')).toEqual([['not_met', 472]])
  for (const query of ['namespace=sho', 'cluster=east', 'owner=nobody', 'namespace=shop&cluster=east'])
    expect(await verdict(query), query).toEqual([['not_enough_data', 0]])
})

describe('what somebody answers for', () => {
  const until = new Date(Date.now() + DAY_MS).toISOString()
  const attest = async (payload: object, path = '') =>
    await api.ask(`/api/v1/checks/attestations${path}`, { method: 'POST', payload: { why: 'a test', ...payload } })
  const requirement = async (id: string) =>
    (await api.ask(`/api/v1/checks?requirement=${id}`)).json<Assessment>().requirements[0]

  test('is attested, never met; of what is measured nobody’s word counts', async () => {
    const given = await attest({ requirement: 'sm-dr3', owner: 'platform', until })
    expect(given.json()).toMatchObject({ requirement: 'SM-DR3', owner: 'platform', who: 'admin', until })
    expect(await requirement('SM-DR3')).toMatchObject({
      ...{ verdict: 'attested', why: `platform answers for it until ${until}: a test` },
      attestation: { owner: 'platform', expired: false },
    })
    await attest({ requirement: 'SM-DR20', owner: 'platform', until })
    expect(await requirement('SM-DR20')).toMatchObject({ verdict: 'not_met' })
    const answers = [
      [{ requirement: 'ID-SEG-REC-1', owner: 'platform', until }, 'step_refused'],
      [{ requirement: 'SM-DR99', owner: 'platform', until }, 'not_found'],
      [{ requirement: '', owner: 'platform', until }, 'not_found'],
      [{ requirement: 'SM-DR3', owner: ' ', until }, 'bad_option'],
      [{ requirement: 'SM-DR3', owner: 'platform', until: day(0) }, 'bad_option'],
    ] as const
    for (const [payload, code] of answers)
      expect((await attest(payload)).json(), code).toMatchObject({ error: { code } })
  })

  test('counts no more when its end is past, or it is withdrawn', async () => {
    const past = { ...{ requirement: 'SM-DR4', owner: 'platform', who: 'kim', why: 'once' }, at: day(0), until: day(1) }
    await sayAttestation(api.store.jobs, past, false, 1)
    expect(await requirement('SM-DR4')).toMatchObject({ verdict: 'not_observable', attestation: { expired: true } })
    expect((await attest({ requirement: 'sm-dr3' }, '/withdraw')).statusCode).toBe(204)
    expect(await requirement('SM-DR3')).toMatchObject({ verdict: 'not_observable' })
    expect(await requirement('SM-DR3')).not.toHaveProperty('attestation')
    const left = (await api.ask('/api/v1/checks/attestations')).json<{ attestations: Attestation[] }>().attestations
    expect(left.map((one) => one.requirement)).toEqual(['SM-DR20', 'SM-DR4'])
    expect((await attest({ requirement: 'SM-DR3' }, '/withdraw')).json()).toMatchObject({
      error: { code: 'not_found' },
    })
  })
})

test('a check waits no longer than it may for chains that nobody looked for, and takes up the newest first', async () => {
  const minutes = 12
  const spans = Array.from({ length: minutes }, (_, at): ShortSpan[] => {
    const of = { namespace: 'late', trace: 900 + at, at: Date.parse(day(4)) + at * 60_000 }
    return [{ ...of, id: 1, service: 'web', kind: 'server', route: '/buy' }]
  })
  await api.cinch.ingestRequest('otlp-traces', operator(), Buffer.from(spanLine(spans.flat())))
  const window = { since: day(4), until: day(5) }
  const left = async () => await recordsNotChained(api.store.reads, window, Date.now())
  expect(await left()).toBe(minutes)
  const bounded = { budgetMs: 0, roundRecordsMax: 5 }
  await findChains(api.store, Date.now(), undefined, bounded)
  const [newest] = await api.rows<{ first: string }>(
    "SELECT toString(min(minute)) AS first FROM chain_minute FINAL WHERE root_callee = 'late/web' AND chains > 0",
  )
  expect(newest?.first).toBe('2026-03-05 10:07:00')
  expect(await left()).toBe(minutes - 5)
  await findChains(api.store, Date.now() + 1, undefined, { ...bounded, budgetMs: 60_000 })
  expect(await left()).toBe(0)
  const [all] = await api.rows<{ chains: number }>(
    "SELECT sum(chains) AS chains FROM chain_minute FINAL WHERE root_callee = 'late/web'",
  )
  expect(all?.chains).toBe(minutes)
})
