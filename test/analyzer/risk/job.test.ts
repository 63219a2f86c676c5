import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRisk } from '../../../services/api/risk.ts'
import type { RiskAnswer, RiskKind } from '../../../services/model/risk.ts'
import { openApi, type TestApi } from '../../api/support.ts'
import { expectError, runHere } from '../../support/cli.ts'
import { type Deed, history, ISSUER, line } from './people.ts'

/** Thirty people over two weeks, then a day on which some of them are not themselves. */
const TODAY = Date.UTC(2026, 10, 26)
const NOON = TODAY + 12 * 3_600_000
const PEOPLE = 30
const DAYS = 14
const id = (user: string, issuer = ISSUER) => `${issuer} ${user}`

let api: TestApi
beforeAll(async () => {
  api = await openApi('risk')
  await tell(history(PEOPLE, DAYS, TODAY, 20_261_126))
  await api.cinch.risk.judge()
}, 120_000)
afterAll(() => api.close())

async function tell(deeds: Deed[], token = api.token): Promise<void> {
  const answer = await api.send('istio-json', deeds.map(line).join('\n'), token)
  expect(answer.statusCode, answer.body).toBe(200)
  expect(answer.json()).toMatchObject({ rejected: 0 })
}

async function riskOf(user: string, at = NOON, kind: RiskKind = 'user'): Promise<RiskAnswer> {
  const asked = kind === 'user' ? id(user) : user
  const answer = await api.ask(`/api/v1/risk/${kind}/${encodeURIComponent(asked)}?at=${new Date(at).toISOString()}`)
  expect(answer.statusCode, answer.body).toBe(200)
  const risk = answer.json<RiskAnswer>()
  expect(risk.terms.reduce((sum, { nats }) => sum + nats, 0)).toBeCloseTo(risk.score, 6)
  return risk
}

/** An hour's work of somebody of the other half, in his name. */
const stolen = (user: string, from: string[], at = NOON - 3_600_000, more: Partial<Deed> = {}): Deed[] =>
  Array.from({ length: 30 }, (_, index) => {
    const [callee = '', path = ''] = (from[index % from.length] ?? '').split(' ')
    return { ...{ at: at + index * 60_000, callee, path, user, address: '198.51.100.9', agent: 'curl/8.1' }, ...more }
  })
const MONEY = ['ledger /accounts/4', 'ledger /entries', 'payments /payments/9', 'payments /refunds']

const SALES = ['orders /orders', 'orders /orders/7', 'customers /customers/3', 'basket /basket']
const LEVELS = `SELECT toString(level) AS level, count() AS days FROM risk_day FINAL WHERE kind = 'user' AND day < '2026-11-26' GROUP BY level ORDER BY level`

describe('the risk of users', () => {
  test('what is usual is LOW, and before anything is known it is UNKNOWN', async () => {
    const levels = await api.rows<{ level: string; days: number }>(LEVELS)
    const days = new Map(levels.map((one) => [one.level, one.days]))
    expect([...days.values()].reduce((sum, count) => sum + count, 0)).toBe(PEOPLE * DAYS)
    // Three days make somebody known, and two hundred days of known people tell what is rare.
    expect(days.get('UNKNOWN')).toBe(PEOPLE * 3 + Math.ceil(200 / PEOPLE) * PEOPLE)
    expect((days.get('MEDIUM') ?? 0) + (days.get('HIGH') ?? 0)).toBe(0)
  })

  test('somebody else in his name is HIGH, and the explanation says by what', async () => {
    await tell(stolen('u0', MONEY))
    await api.cinch.risk.judge()
    const risk = await riskOf('u0')
    expect(risk).toMatchObject({ level: 'HIGH', kind: 'user', id: id('u0'), why: '' })
    const found = risk.terms.map(({ dimension, value }) => `${dimension} ${value}`)
    expect(found.slice(0, 6)).toContain('operation payments.shop GET /refunds')
    expect(found).toEqual(expect.arrayContaining(['network 198.51.100.0', 'agent curl/*']))
    expect((await riskOf('u1')).level).toBe('LOW')
  })

  test('he is found also while the user goes about his own work', async () => {
    await tell([
      ...stolen('u2', SALES, NOON - 7_200_000, {
        address: '203.0.2.7',
        agent: 'Mozilla/5.0 (X11; Linux) Firefox/128.0',
      }),
      ...stolen('u2', MONEY),
    ])
    await api.cinch.risk.judge()
    expect(await riskOf('u2')).toMatchObject({ level: 'HIGH' })
  })

  test('it is half as much a day later, and nothing after a phishing-resistant login', async () => {
    const [now, later] = [await riskOf('u0'), await riskOf('u0', NOON + 86_400_000)]
    const age = (risk: RiskAnswer) => 2 ** (-(risk.age_s ?? 0) / 86_400)
    expect(later.score / now.score).toBeCloseTo(age(later) / age(now), 6)
    const login = NOON + 60_000
    const own = { address: '203.0.0.7', agent: 'Mozilla/5.0 (X11; Linux) Firefox/128.0', authenticated: login }
    await tell(stolen('u0', SALES, login + 1_000, { ...own, acr: 'pwd' }))
    await api.cinch.risk.judge()
    expect((await riskOf('u0', NOON + 3_600_000)).level, 'a login by password clears nothing').toBe('HIGH')
    await tell(stolen('u0', SALES, login + 2_000, { ...own, acr: 'phr' }))
    await api.cinch.risk.judge()
    expect(await riskOf('u0', NOON + 3_600_000)).toMatchObject({ level: 'LOW' })
  })

  test('of a suspicious day nothing is learned until somebody vouches for it', async () => {
    const tomorrow = (deeds: Deed[]) => deeds.map((deed) => ({ ...deed, at: deed.at + 86_400_000 }))
    await tell(tomorrow(stolen('u2', MONEY)))
    await api.cinch.risk.judge()
    const before = await riskOf('u2', NOON + 86_400_000)
    expect(before.level).toBe('HIGH')
    expect(before.terms.find(({ value }) => value.endsWith('/payments/{int}'))?.seen_by_entity).toBe(0)
    await api.cinch.risk.vouch(
      { kind: 'user', id: id('u2') },
      { who: 'ann', why: 'moved to finance' },
      NOON + 86_400_000 + 1,
    )
    expect((await riskOf('u2', NOON + 86_400_000 + 2)).level).toBe('LOW')
    await tell(tomorrow(tomorrow(stolen('u2', MONEY))))
    await api.cinch.risk.judge()
    const after = await riskOf('u2', NOON + 2 * 86_400_000)
    expect(after.score).toBeLessThan(before.score / 2)
  })

  test('forged telemetry moves nobody: neither of a sender that may only claim, nor a token that was refused', async () => {
    const token = await api.cinch.senders.register({
      ...{ id: 'application', sources: ['istio-json'], cluster: '', workloads: [], evidence: 'claimed' },
    })
    const before = await riskOf('u3')
    await tell(stolen('u3', MONEY), token)
    await tell(stolen('u3', MONEY).map((deed) => ({ ...deed, status: 401 })))
    await api.cinch.risk.judge()
    expect(await riskOf('u3')).toEqual(before)
  })

  test("who is not known is UNKNOWN and why is said; nor is one user another issuer's of the same name", async () => {
    await tell(stolen('u1', SALES, NOON - 3_600_000, { issuer: 'https://other.example' }))
    await api.cinch.risk.judge()
    const ask = async (kind: string, name: string) => {
      const url = `/api/v1/risk/${kind}/${encodeURIComponent(name)}?at=${new Date(NOON).toISOString()}`
      return (await api.ask(url)).json<RiskAnswer>()
    }
    const other = await ask('user', id('u1', 'https://other.example'))
    expect(other).toMatchObject({ level: 'UNKNOWN', why: expect.stringMatching('on 0 days') })
    expect(await ask('user', id('nobody'))).toMatchObject({ level: 'UNKNOWN', score: 0, terms: [], age_s: null })
    expect((await ask('device', 'laptop')).level).toBe('UNKNOWN')
    expect((await api.ask('/api/v1/risk/planet/x')).statusCode).toBe(400)
    expect(await api.cinch.risk.named('user', 'u1')).toEqual([id('u1'), id('u1', 'https://other.example')])
  })

  test('a workload that moves to where it never was is found by its certificate, and not by a name that is claimed', async () => {
    const web = 'cluster.local/ns/shop/sa/w-u4'
    const usual = await riskOf(web, NOON, 'workload')
    expect(usual).toMatchObject({ level: 'LOW', why: '' })
    const moves = stolen('u1', MONEY, NOON - 3_600_000, { caller: 'w-u4' })
    const token = await api.cinch.senders.register({
      ...{ id: 'another', sources: ['istio-json'], cluster: '', workloads: [], evidence: 'claimed' },
    })
    await tell(moves, token)
    await api.cinch.risk.judge()
    expect(await riskOf(web, NOON, 'workload')).toEqual(usual)
    await tell(moves)
    await api.cinch.risk.judge()
    const risk = await riskOf(web, NOON, 'workload')
    expect(risk.level).toBe('HIGH')
    expect(risk.terms[0]).toMatchObject({ dimension: 'operation', seen_by_entity: 0 })
  })

  test('the command tells it to people and machines, of the process that serves', async () => {
    api.store.announce(await api.app.listen({ port: 0 }))
    const at = ['--at', new Date(NOON).toISOString()]
    const ask = (args: string[]) => runHere(['risk', ...args, ...at], { store: api.dir })
    const text = await ask(['spiffe://cluster.local/ns/shop/sa/w-u4'])
    expect(text.stdout).toMatch(/^workload cluster.local\/ns\/shop\/sa\/w-u4: HIGH, last seen /)
    expect(text.stdout).toMatch(/^\d+\.\d\d +operation +\S+ GET \S+ +\d+ +never +-$/m)
    expect(text.code).toBe(1)
    const json = await ask(['u5', '--json'])
    expect(json.json()).toEqual(JSON.parse(JSON.stringify(await riskOf('u5'))))
    expect(json.code).toBe(0)
    expectError(await ask(['u1']), 'bad_option', 2)
    expectError(await ask([]), 'usage', 2)
    expectError(await ask(['u1', '--kind', 'planet']), 'bad_option', 2)
  })

  test('several are asked for at once, and a restarted process says the same', async () => {
    const subjects = ['u0', 'u1', 'u2'].map((user) => ({ kind: 'user' as const, id: id(user) }))
    const again = createRisk(api.store)
    const at = NOON + 3_600_000
    expect(await again.ofAll(subjects, at)).toEqual(await api.cinch.risk.ofAll(subjects, at))
    const answer = await api.ask('/api/v1/risk', { method: 'POST', payload: { subjects } })
    expect(answer.json<{ risks: RiskAnswer[] }>().risks.map((risk) => risk.id)).toEqual(subjects.map((one) => one.id))
    await again.judge()
    expect(await again.ofAll(subjects, at)).toEqual(await api.cinch.risk.ofAll(subjects, at))
  })
})
