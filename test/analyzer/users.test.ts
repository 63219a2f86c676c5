import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Generated } from '../../policy-gen/generate.ts'
import type { PolicyDiff } from '../../services/model/diff.ts'
import type { ReplayResult } from '../../services/model/replay.ts'
import { AGE_BOUNDS_S, distinctUsers, OLDER_S } from '../../services/model/users.ts'
import { run } from '../../services/store/store.ts'
import { openApi, type TestApi } from '../api/support.ts'
import { engineBinary } from '../lab/engines/setup.ts'
import { seeded } from '../policy-gen/support.ts'
import { required } from '../requirements.ts'

/**
 * Requests with and without users, some of them refused, at two callees, one of whose proxies verifies tokens; everything that is
 * expected is counted here over the requests themselves.
 */
interface Request {
  time: string
  callee: string
  path: string
  status: number
  decision: string
  user_issuer: string
  user_subject: string
  user_groups: string[]
  acr: string
  auth_time: number
}
const REQUESTS = 4_000
const START_S = Date.UTC(2026, 10, 17) / 1_000
const ID = 'https://id.example'
const PARTNERS = 'https://partners.example'
const random = seeded(20_261_129)
const below = (count: number) => Math.floor(random() * count)
const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T
const NOBODY = { user_issuer: '', user_subject: '', user_groups: [], acr: '', auth_time: 0 }

const USERS = Array.from({ length: 40 }, (_, at) => ({
  user_issuer: at % 5 === 0 ? PARTNERS : ID,
  user_subject: `u${at}`,
  user_groups: at % 5 === 0 ? ['partners', 'all'] : at % 3 === 0 ? ['admin', 'all', 'all'] : ['all'],
}))
const of = (issuer: string, group: string) =>
  USERS.filter(({ user_issuer, user_groups }) => user_issuer === issuer && user_groups.includes(group))
/** Whom each operation is used by; null is nobody. */
const PATHS: Record<string, (typeof USERS | null)[]> = {
  '/mine': [USERS],
  '/admin': [of(ID, 'admin')],
  '/partners': [of(PARTNERS, 'partners')],
  '/open': [USERS, null],
  '/sync': [null],
  '/rare': [USERS.slice(1, 3)],
}

function request(): Request {
  const path = pick(Object.keys(PATHS))
  const at = START_S + below(48 * 3_600)
  const from = pick(PATHS[path] ?? [])
  const user = from ? pick(from) : undefined
  const age = pick([0, 300, 301, 3_000, 100_000, 1_000_000])
  const auth = user && random() < 0.8 ? at - age : 0
  // Refused: somebody else's attempt, which teaches nothing.
  const intruder = random() < 0.05
  const seen = intruder ? pick([...USERS, undefined]) : user
  const claims = seen ? { ...seen, acr: pick(['phr', 'pwd', '']), auth_time: auth } : NOBODY
  return {
    time: new Date(at * 1_000).toISOString().slice(0, 19),
    callee: random() < 0.9 ? 'orders' : 'stock',
    path,
    status: intruder ? 403 : random() < 0.02 ? 404 : 200,
    decision: intruder ? 'denied' : 'allowed',
    ...claims,
  }
}
/** Tells of no users: its proxy verifies no tokens. */
const anonymous = (one: Request): Request => (one.callee === 'stock' ? { ...one, ...NOBODY } : one)
const all = Array.from({ length: REQUESTS }, () => anonymous(request()))
const inWindow = (one: Request) => one.time >= '2026-11-17T07' && one.time < '2026-11-18T19'
const WINDOW = { since: '2026-11-17T07:00:00Z', until: '2026-11-18T19:00:00Z' }
const window = all.filter(inWindow)
const served = window.filter(({ decision }) => decision === 'allowed')

let api: TestApi
beforeAll(async () => {
  api = await openApi('users')
  const inventory = ['orders', 'stock', 'web'].map((name) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'shop' },
    spec: { template: { metadata: { labels: { app: name } }, spec: { serviceAccountName: name } } },
  }))
  const objects = inventory.map((one) => JSON.stringify(one)).join('\n---\n')
  expect((await api.send('kubernetes-objects', objects, api.token)).statusCode).toBe(200)
  for (let from = 0; from < all.length; from += 1_000) await insert(all.slice(from, from + 1_000))
  // What is asked from here on must not need the facts.
  await run(api.store.jobs, 'TRUNCATE TABLE request')
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await api.close()
})

async function insert(requests: Request[]): Promise<void> {
  await run(
    api.store.jobs,
    `INSERT INTO request (time, source_format, sender, reporter, mtls, source_principal, source_namespace, source_workload, source_evidence,
       destination_principal, destination_namespace, destination_workload, workload_port, protocol, method, path, shape, status, decision, stage,
       user_issuer, user_subject, user_groups, acr, auth_time)
     SELECT time, 'istio-json', 'operator', 'destination', 'yes', 'td/ns/shop/sa/web', 'shop', 'web', 'verified', concat('td/ns/shop/sa/', callee), 'shop',
       callee, 8080, 'http', 'GET', path, path, status, decision, 'end', user_issuer, user_subject, user_groups, acr, toDateTime(auth_time, 'UTC')
     FROM format(JSONEachRow, 'time DateTime64(6, \\'UTC\\'), callee String, path String, status UInt16, decision String, user_issuer String,
       user_subject String, user_groups Array(String), acr String, auth_time UInt32', {rows:String})`,
    { rows: requests.map((one) => JSON.stringify(one)).join('\n') },
  )
}

const generate = async (options: object = {}) => {
  const answer = await api.ask('/api/v1/policies', { method: 'POST', payload: { ...WINDOW, users: true, ...options } })
  expect(answer.statusCode, answer.body).toBe(200)
  return answer.json<Generated>()
}
const at = (callee: string, path: string) => served.filter((one) => one.callee === callee && one.path === path)
const sum = (calls: ReplayResult['uncertain']) => calls.reduce((total, { requests }) => total + requests, 0)

test('an operation asks for what all of its users have in common, and says why it asks for nothing', async () => {
  const { report } = await generate()
  const said = report.permissions.map(({ callee, operation, conditions, unconditional, questions }) => [
    `${callee.workload} ${operation.path}`,
    conditions.map(({ values }) => values.join('|')).join(' & ') || unconditional,
    questions ?? [],
  ])
  const untold = 'nobody told whether requests carried users'
  expect(said.sort()).toEqual(
    [
      ['orders /admin', `${ID} & admin`, []],
      ['orders /mine', `${ID}|${PARTNERS} & all`, []],
      ['orders /open', 'some requests carried no user', []],
      ['orders /partners', `${PARTNERS} & all`, []],
      ['orders /rare', '2 distinct users are too few: 3 are asked for', []],
      ['orders /sync', 'no request carried a user', ['machine_to_machine']],
      ...Object.keys(PATHS).map((path) => [`stock ${path}`, untold, []]),
    ].sort(),
  )
  const rare = (await generate({ users_min: 2 })).report.permissions.find(({ operation }) => operation.path === '/rare')
  expect(rare?.conditions.map(({ values }) => values)).toEqual([[ID], ['all']])
  expect(
    (await api.ask('/api/v1/policies', { method: 'POST', payload: { users: true, users_min: 0 } })).statusCode,
  ).toBe(400)
})

test('the evidence counts users and says nothing of who they were', async () => {
  const { report } = await generate()
  for (const { callee, operation, evidence } of report.permissions) {
    const requests = at(callee.workload, operation.path)
    const users = requests.filter(({ user_issuer }) => user_issuer !== '')
    if (callee.workload === 'stock') expect(evidence.users).toBeUndefined()
    else {
      expect(evidence.users).toMatchObject({ with: users.length, without: requests.length - users.length, untold: 0 })
      const distinct = new Set(users.filter(({ status }) => status !== 404).map(({ user_subject }) => user_subject))
        .size
      expect(Math.abs((evidence.users?.distinct ?? 0) - distinct), operation.path).toBeLessThanOrEqual(3)
    }
  }
  expect(JSON.stringify(report)).not.toMatch(/"u\d+"/)
  const names = await api.rows(
    "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'user_usage' AND name LIKE '%subject%'",
  )
  expect(names).toEqual([])
})

const opa = engineBinary('opa')
const TARGETS = ['istio', 'envoy-rbac', 'cedar', ...(opa || required('CINCH_REQUIRE_ENGINES') ? ['opa-rego'] : [])]
test.each(TARGETS)(
  '%s: replay decides each class of users apart: its counts are those of the requests',
  async (target) => {
    vi.stubEnv('CINCH_OPA', opa)
    const { files } = await generate({ target })
    const allowed = (one: Request) => {
      if (one.callee === 'stock') return true
      const has = (group: string) => one.user_groups.includes(group)
      const rule: Record<string, boolean> = {
        '/mine': has('all'),
        '/admin': one.user_issuer === ID && has('admin'),
        '/partners': one.user_issuer === PARTNERS && has('all'),
      }
      return rule[one.path] ?? true
    }
    const count = (refused: boolean, kept: boolean, status?: number) =>
      window.filter(
        (one) =>
          (one.decision === 'denied') === refused &&
          allowed(one) === kept &&
          (status === undefined || one.status === status),
      ).length
    const replayed = await api.ask('/api/v1/policies/replay', { method: 'POST', payload: { files, ...WINDOW } })
    const result = replayed.json<ReplayResult>()
    expect(result.uncertain).toEqual([])
    expect(count(true, false)).toBeGreaterThan(20)
    expect({
      requests: result.requests,
      still_allowed: result.still_allowed,
      still_denied: result.still_denied,
      newly_allowed: sum(result.newly_allowed),
      newly_denied: sum(result.newly_denied),
    }).toEqual({
      requests: window.length,
      still_allowed: count(false, true),
      still_denied: count(true, false),
      newly_allowed: count(true, true),
      newly_denied: 0,
    })
    const diff = await api.ask('/api/v1/policies/diff', { method: 'POST', payload: { files, ...WINDOW } })
    expect(diff.json<PolicyDiff>(), diff.body).toMatchObject({
      grant: [],
      revoke: [],
      restrict: [],
      uncertain: 0,
      kept: 12,
    })
  },
)

test.each([
  ['acr', ['phr'], ({ acr }: Request) => acr === 'phr'],
  ['groups', ['admin', 'partners'], ({ user_groups }: Request) => user_groups.some((name) => name !== 'all')],
  ['iss', [PARTNERS], ({ user_issuer }: Request) => user_issuer === PARTNERS],
] as const)('a condition on %s that people wrote is decided as written', async (claim, values, holds) => {
  const policy = {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'orders', namespace: 'shop' },
    spec: {
      selector: { matchLabels: { app: 'orders' } },
      rules: [{ when: [{ key: `request.auth.claims[${claim}]`, values }] }],
    },
  }
  const files = [{ path: 'a.yaml', content: JSON.stringify(policy) }]
  const replayed = await api.ask('/api/v1/policies/replay', { method: 'POST', payload: { files, ...WINDOW } })
  const result = replayed.json<ReplayResult>()
  const orders = served.filter(({ callee }) => callee === 'orders')
  const missing = orders.filter((one) => !holds(one) && one.status === 404).length
  expect(result.uncertain).toEqual([])
  expect(sum(result.newly_denied)).toBe(orders.filter((one) => !holds(one)).length - missing)
  expect(sum(result.denied_not_found)).toBe(missing)
  expect(result.still_allowed).toBe(orders.filter(holds).length + served.length - orders.length)
})

test('the bounds of ages in the store are those of the model', async () => {
  const rows = await api.rows<{ age_s: number }>('SELECT DISTINCT age_s FROM user_usage ORDER BY age_s')
  const bound = (age: number) => AGE_BOUNDS_S.find((most) => age <= most) ?? OLDER_S
  const ages = all
    .filter(({ user_issuer }) => user_issuer !== '')
    .map(({ time, auth_time }) => (auth_time === 0 ? 0 : bound(Date.parse(`${time}Z`) / 1_000 - auth_time)))
  expect(rows.map(({ age_s }) => age_s)).toEqual([...new Set(ages)].sort((a, b) => a - b))
  const [{ sql } = { sql: '' }] = await api.rows<{ sql: string }>(
    "SELECT default_expression AS sql FROM system.columns WHERE table = 'request' AND name = 'user_age_s'",
  )
  expect([...sql.matchAll(/<= (\d+), (\d+)/g)].map(([, most, kept]) => [Number(most), Number(kept)])).toEqual(
    AGE_BOUNDS_S.map((most) => [most, most]),
  )
})

test('users are counted by the share of bits that none of them set', () => {
  const draw = seeded(7)
  for (const users of [0, 1, 3, 40, 300, 900]) {
    let bits = 0n
    for (let user = 0; user < users; user++) bits |= 1n << BigInt(Math.floor(draw() * 256))
    expect(Math.abs(distinctUsers([bits.toString(16)]) - users)).toBeLessThanOrEqual(Math.max(2, users * 0.15))
  }
})
