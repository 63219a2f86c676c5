import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { StepUpAnswer } from '../../services/api/step-up.ts'
import type { Sensitive } from '../../services/model/step-up.ts'
import { type FrontRow, sessionRows } from '../../services/store/queries/sessions.ts'
import { run } from '../../services/store/store.ts'
import { seeded } from '../policy-gen/support.ts'
import { runCli, scratch } from '../support/cli.ts'
import { openApi, type TestApi } from './support.ts'

/**
 * Users with sessions of their own level and time, at a front and behind it; what is expected is counted over the requests themselves.
 */
interface Request {
  time: string
  from: string
  to: string
  path: string
  decision: string
  subject: string
  acr: string
  auth_time: number
}
const REQUESTS = 3_000
const START_S = Date.UTC(2026, 10, 17) / 1_000
const DAY_S = 86_400
const ISSUER = 'https://id.example'
const WINDOW = { since: '2026-11-17T07:00:00Z', until: '2026-11-19T19:00:00Z' }
const SENSITIVE: Sensitive[] = [
  { callee: 'shop/orders', method: 'POST', path: '/pay', acr: 'phr', why: 'money' },
  { callee: 'shop/orders', method: 'POST', path: '/export', acr: 'phrh', max_age_s: 3_600, why: 'all of it' },
  { callee: 'shop/ledger', method: 'POST', path: '/book', acr: 'phr', why: 'books' },
]
const random = seeded(20_261_130)
const below = (count: number) => Math.floor(random() * count)
const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T

/** Some tokens do not tell when their user authenticated: 0. */
const SESSIONS = Array.from({ length: 90 }, (_, at) => ({
  subject: `user "${at % 30}"`,
  acr: pick(['phr', 'phrh', 'pwd', '']),
  auth_time: at % 7 === 0 ? 0 : START_S + at * 1_000,
}))

function requests(): Request[] {
  return Array.from({ length: REQUESTS }, (): Request => {
    const session = pick(SESSIONS)
    const at = Math.max(session.auth_time, START_S) + below(2.5 * DAY_S)
    const somebody = pick([...Array.from({ length: 9 }, () => session), { subject: '', acr: '', auth_time: 0 }])
    return {
      time: new Date(at * 1_000).toISOString().slice(0, 19),
      ...pick([
        { from: 'gateway', to: 'orders', path: pick(['/pay', '/export', '/items', '/items', '/items']) },
        { from: 'gateway', to: 'orders', path: pick(['/items', '/cart']) },
        { from: 'orders', to: 'ledger', path: '/book' },
      ]),
      decision: pick(['allowed', 'allowed', 'allowed', 'denied']),
      ...somebody,
    }
  })
}
const all = requests()
const counted = all.filter(
  ({ time, from, decision, subject }) =>
    `${time}Z` >= WINDOW.since && `${time}Z` < WINDOW.until && from === 'gateway' && decision === 'allowed' && subject,
)
const sessionOf = ({ subject, auth_time, time }: Request) => `${subject} ${auth_time || time.slice(0, 10)}`
const asks = ({ path, acr, auth_time, time }: Request) => {
  const old = auth_time === 0 || Date.parse(`${time}Z`) / 1_000 - auth_time > 3_600
  return path === '/pay' ? !acr.startsWith('phr') : path === '/export' && (acr !== 'phrh' || old)
}
const distinct = (list: readonly Request[]) => new Set(list.map(sessionOf)).size

let api: TestApi
const room = scratch('step-up')
beforeAll(async () => {
  api = await openApi('step-up-sessions')
  await run(
    api.store.jobs,
    `INSERT INTO request (time, source_format, sender, reporter, mtls, source_principal, source_namespace, source_workload, source_evidence,
       destination_principal, destination_namespace, destination_workload, workload_port, protocol, method, path, shape, status, decision, stage,
       user_issuer, user_subject, acr, auth_time)
     SELECT time, 'istio-json', 'operator', 'destination', 'yes', concat('td/ns/shop/sa/', from), 'shop', from, 'verified', concat('td/ns/shop/sa/', to),
       'shop', to, 8080, 'http', 'POST', path, path, if(decision = 'denied', 403, 200), decision, 'end', if(subject = '', '', '${ISSUER}'), subject,
       acr, toDateTime(auth_time, 'UTC')
     FROM format(JSONEachRow, 'time DateTime64(6, \\'UTC\\'), from String, to String, path String, decision String, subject String, acr String,
       auth_time UInt32', {rows:String})`,
    { rows: all.map((one) => JSON.stringify(one)).join('\n') },
  )
})
afterAll(async () => {
  await api.close()
  room.close()
})

const ask = async (payload: object) =>
  await api.ask('/api/v1/policies/step-up', { method: 'POST', payload: { ...WINDOW, ...payload } })

test('sessions and the users who would have been prompted are those of the requests', async () => {
  const answer = await ask({ sensitive: SENSITIVE })
  expect(answer.statusCode, answer.body).toBe(200)
  const { by_session, triggers, unasked, requests, prompted, share } = answer.json<StepUpAnswer>()
  const asked = counted.filter(asks)
  const [sessions, lacking] = [distinct(counted), distinct(asked)]
  expect(lacking).toBeGreaterThan(20)
  expect(lacking).toBeLessThan(sessions)
  expect({ requests, prompted, share }).toEqual({
    requests: counted.length,
    prompted: asked.length,
    share: asked.length / counted.length,
  })
  const first = counted.map(({ time }) => `${time}Z`).sort()[0]
  expect(by_session).toMatchObject({
    sessions,
    prompted: lacking,
    uncertain: 0,
    share: lacking / sessions,
    one_in: 1,
    since: first,
  })
  for (const { path, by_session: own } of triggers) {
    const here = counted.filter((one) => one.path === path)
    expect(own, path).toEqual({ sessions: distinct(here), prompted: distinct(here.filter(asks)), uncertain: 0 })
  }
  expect(triggers.map(({ path }) => path)).toEqual(['/export', '/pay'])
  expect(unasked.map(({ operation }) => operation)).toEqual(['shop/ledger POST /book'])
  const bySubject = [...Map.groupBy(asked, ({ subject }) => subject)]
    .map(([subject, list]) => ({ issuer: ISSUER, subject, sessions: distinct(list) }))
    .sort((a, b) => b.sessions - a.sessions || (a.subject < b.subject ? -1 : 1))
  expect(by_session?.users).toEqual(bySubject.slice(0, 20))
})

test('the route refuses what cannot be meant, and those who may not ask', async () => {
  const body = (sensitive: object) => ({ sensitive: [{ ...SENSITIVE[0], ...sensitive }] })
  for (const payload of [
    body({ acr: 'gold' }),
    body({ max_age_s: 5 }),
    body({ why: undefined }),
    { sensitive: [], rare: 2 },
    { sensitive: 'x' },
  ])
    expect((await ask(payload)).statusCode, JSON.stringify(payload)).toBe(400)
  const open = await api.app.inject({ method: 'POST', url: '/api/v1/policies/step-up', payload: {} })
  expect(open.statusCode).toBe(401)
  const none = (await ask({ sensitive: [] })).json<StepUpAnswer>()
  expect(none).toMatchObject({
    triggers: [],
    by_session: { prompted: 0, users: [], sessions: distinct(counted) },
  })
})

test('what telemetry does not tell is uncertain, and of very many sessions one in so many is looked at', async () => {
  const edges = await api.rows<Pick<FrontRow, 'edge' | 'method' | 'shape' | 'path_flags'>>(
    "SELECT DISTINCT lower(hex(edge)) AS edge, method, shape, path_flags FROM request WHERE shape = '/pay'",
  )
  const here = counted.filter(({ path }) => path === '/pay')
  const count = async (more: Partial<FrontRow>, oneIn = 1) => {
    const asked = { place: 1, levels: ['phr'], max_age_s: 3_600, tells_acr: false, tells_age: true, ...more }
    const rows = await sessionRows(
      api.store.reads,
      WINDOW,
      edges.map((edge) => ({ ...edge, ...asked })),
      oneIn,
    )
    return rows.map(({ place, sessions, prompted, uncertain }) => [place, sessions, prompted, uncertain])
  }
  const old = distinct(here.filter((one) => asks({ ...one, path: '/export', acr: 'phrh' })))
  const told = [distinct(here), old, distinct(here) - old]
  expect(await count({})).toEqual([0, 1].map((place) => [place, ...told]))
  expect((await count({ tells_age: false }))[0]).toEqual([0, distinct(here), 0, distinct(here)])
  expect((await count({ levels: [] }))[0]).toEqual([0, distinct(here), 0, 0])
  const [[, some = 0] = []] = await count({}, 4)
  expect(some).toBeGreaterThan(distinct(here) / 8)
  expect(some).toBeLessThan(distinct(here) / 2)
})

test('the command says the same, writes the policies, and says what is wrong with its file', async () => {
  const told = (await ask({ sensitive: SENSITIVE })).json<StepUpAnswer>()
  // Another process has the store from here on.
  await api.app.close()
  await api.store.close()
  const [file, out] = [room.path('sensitive.json'), room.path('out')]
  writeFileSync(file, JSON.stringify(SENSITIVE))
  const step = async (...args: string[]) => await runCli(['policies', 'step-up', ...args], { store: api.dir })
  const window = ['--since', WINDOW.since, '--until', WINDOW.until]
  expect((await step(file, ...window, '--json')).json()).toEqual(told)
  const text = await step(file, ...window, '--out', out)
  expect(text.code).toBe(0)
  const share = ((told.by_session?.share ?? 0) * 100).toFixed(2)
  expect(text.stdout).toContain(
    `${share} % of sessions (${told.by_session?.prompted} of ${told.by_session?.sessions}) would have been prompted`,
  )
  expect(text.stdout).toContain('nobody is asked at shop/ledger POST /book')
  for (const { path, content } of told.files) expect(readFileSync(`${out}/${path}`, 'utf8')).toBe(content)
  expect(told.files.length).toBeGreaterThan(0)
  writeFileSync(file, '[{callee: shop/orders, acr: gold, why: x}]')
  const wrong = await step(file)
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('entry 1: acr is one of phr, phrh')])
  expect((await step(room.path('none.yaml'))).code).toBe(2)
})
