import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generate } from '../../policy-gen/generate.ts'
import { targetById } from '../../policy-gen/targets/index.ts'
import type { PolicyFile } from '../../policy-gen/targets/target.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import { inventory, type ShortUsers, seeded, usersOf } from '../policy-gen/support.ts'
import { required } from '../requirements.ts'
import { drive, type LabRequest } from './driver.ts'
import type { HttpFilter } from './envoy-config.ts'
import { CALLEE, CALLERS, type Lab, logLines, startLab } from './lab.ts'
import { objectsOf, openProduct, type Product } from './product.ts'
import { rbacFilters } from './rbac.ts'
import { filtersIn } from './rendered-filters.ts'
import { labBinary } from './setup.ts'
import { picker } from './traffic.ts'
import { compare, observationOf, verdicts, WINDOW } from './verdicts.ts'

const REQUESTS = 10_000
const HOUR_S = 3_600
/** How often each habit is observed, and users of each kind of token. */
const HABIT_TIMES = 40
const SUBJECTS = 4

/** Issuers whose tokens the callee verifies, and one that it does not know. */
const ISSUERS = ['https://id.example', 'https://partners.example']
const FOREIGN = 'https://evil.example'

interface TokenKind {
  issuer: string
  groups: string[]
  /** The claim as it stands in the token, where it is not the list. */
  claim?: unknown
}
/** What clients send, null for no token. */
const TOKENS: (TokenKind | null)[] = [
  null,
  { issuer: ISSUERS[0] ?? '', groups: ['all', 'staff'] },
  { issuer: ISSUERS[0] ?? '', groups: ['all'] },
  { issuer: ISSUERS[0] ?? '', groups: ['all', 'admin'] },
  { issuer: ISSUERS[0] ?? '', groups: ['administrators', 'ALL'] },
  { issuer: ISSUERS[0] ?? '', groups: [], claim: [] },
  { issuer: ISSUERS[0] ?? '', groups: ['admin'], claim: 'admin' },
  { issuer: ISSUERS[1] ?? '', groups: ['owner', "it's: {x}"] },
  { issuer: ISSUERS[1] ?? '', groups: ['all'] },
  { issuer: FOREIGN, groups: ['admin', 'all'] },
]

/** Groups whose names mean something to somebody, each of its own user; and those of others that are almost the same. */
const ODD = ['admin*', '*', '"quoted"', 'a: b # c', '\\d+', "''", 'Ünï 🙂', ' lead', '%{x}', 'null', '1_0', 'true']
const NEARLY = ['adminX', 'ADMIN*', 'x', 'quoted', '7', "'", 'Uni', 'lead', '10']
const ODD_FROM = TOKENS.length
TOKENS.push(...[...ODD, ...NEARLY].map((group) => ({ issuer: ISSUERS[0] ?? '', groups: [group] })))

type Habit = [account: string, method: string, path: string, tokens: number[]]
/** Who does what with which tokens: the operations that permissions are proposed from. */
const HABITS: Habit[] = [
  ['frontend', 'GET', '/mine', [1, 2]],
  ['frontend', 'POST', '/admin', [3, 7]],
  ['frontend', 'GET', '/open', [0, 1]],
  ['checkout', 'GET', '/mine', [0]],
  ['reports', 'GET', '/partners/{int}', [7]],
  ['backup', 'PUT', '/any', [1, 5]],
]

const ODD_HABIT: Habit = ['reports', 'GET', '/odd', ODD.map((_, at) => ODD_FROM + at)]

/** Matchers of tokens as people write them, in a principal that allows; and whether all is decided by what is kept. */
const TOKEN = 'envoy.filters.http.jwt_authn'
const claim = (keys: string[], value: unknown, more = {}) => ({
  metadata: { filter: TOKEN, path: ['payload', ...keys].map((key) => ({ key })), value, ...more },
})
const one = { string_match: { exact: 'admin' } }
const WRITTEN: [name: string, principal: unknown, decided: boolean][] = [
  ['any token', claim([], { present_match: true }), true],
  ['no token', { not_id: claim([], { present_match: true }) }, true],
  ['an issuer', claim(['iss'], { string_match: { prefix: 'https://partners' } }), true],
  ['not an issuer', claim(['iss'], { string_match: { exact: ISSUERS[0] } }, { invert: true }), true],
  [
    'a text or a list',
    claim(['groups'], { or_match: { value_matchers: [one, { list_match: { one_of: one } }] } }),
    true,
  ],
  ['a list', claim(['groups'], { list_match: { one_of: one } }), false],
  ['a text', claim(['groups'], one), false],
  [
    'two groups of a list',
    {
      and_ids: {
        ids: ['all', 'staff'].map((exact) =>
          claim(['groups'], { list_match: { one_of: { string_match: { exact } } } }),
        ),
      },
    },
    true,
  ],
  ['another claim', claim(['sub'], { string_match: { exact: 'user-1' } }), false],
  ['all claims as a text', claim([], one), true],
  [
    'sourced',
    { sourced_metadata: { metadata_matcher: claim(['iss'], { string_match: { suffix: 'id.example' } }).metadata } },
    true,
  ],
]

const usersWith = (kinds: readonly number[]): ShortUsers => {
  const told = kinds.map((kind) => TOKENS[kind] ?? null)
  const seen = told.flatMap((token) => (token ? [{ issuer: token.issuer, groups: token.groups }] : []))
  return { without: told.filter((token) => token === null).length, seen }
}

describe.skipIf(!labBinary() && !required('CINCH_REQUIRE_LAB'))('conditions on users, at Envoy', () => {
  const pick = picker(seeded(20_260_707))
  let dir: string
  let lab: Lab
  let product: Product
  let tokens: (string | null)[][]
  let verifier: HttpFilter

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cinch-lab-claims-'))
    lab = await startLab({ dir })
    ;({ tokens, verifier } = await issue())
  }, 60_000)
  afterAll(async () => {
    await lab?.stop()
    await product?.close()
    await rm(dir, { recursive: true, force: true })
  })

  /** What the habits are, and what they are not. */
  const attempts = (habits: readonly Habit[]) =>
    Array.from({ length: REQUESTS }, () => {
      const [account, method, path, kinds] = pick(habits)
      const kind = pick([true, false]) ? pick(kinds) : pick([...TOKENS.keys()])
      const caller = pick([true, true, false]) ? callerOf(account) : pick(CALLERS)
      const request = requestWith(
        kind,
        caller,
        pick([true, true, false]) ? method : pick(['GET', 'PUT', 'POST']),
        pick([path, path, path, `${path}/`, `/${path}`]),
      )
      return { request, kind }
    })
  const requestWith = (kind: number, caller: string, method: string, path: string): LabRequest => {
    const token = pick(tokens[kind] ?? []) ?? null
    const headers = token ? { headers: { authorization: `Bearer ${token}` } } : {}
    return { caller, method, path: path.replace('{int}', '7'), ...headers }
  }

  const known = () => inventory({ workloads: { '/shop/orders': lab.callee.labels } })
  const seen = (sent: ReturnType<typeof attempts>) =>
    sent.map(({ request, kind }) => ({
      ...observationOf(request, lab.callee),
      users: usersOf(usersWith([kind]), 1),
    }))

  test.each(['istio', 'envoy-rbac'])(
    '%s: replay says of every request with its token what Envoy decides',
    { timeout: 60_000 },
    async (target) => {
      const habits = [...HABITS, ODD_HABIT]
      const operations = habits.map(
        ([account, method, path, kinds]): ObservedOperation => ({
          ...observationOf({ caller: callerOf(account), method, path }, lab.callee),
          ...{ requests: HABIT_TIMES, firstSeen: WINDOW.since, lastSeen: WINDOW.since },
          users: usersOf(usersWith(kinds), HABIT_TIMES),
        }),
      )
      const options = { userConditions: true, window: WINDOW }
      const { files, report } = generate(operations, known(), targetById(target), options)
      expect(report.permissions.map(({ conditions }) => conditions.length)).toContain(2)
      await lab.enforce([verifier, ...filtersOf(target, files)])

      const sent = attempts(habits)
      const outcomes = await drive(
        lab,
        sent.map(({ request }) => request),
      )
      const said = verdicts(files, seen(sent), known())
      const texts = sent.map(
        ({ request, kind }, at) => `${request.caller} ${request.method} ${request.path} ${kind} ${said[at]}`,
      )
      const decided = outcomes.map(({ allowed }) => (allowed ? 'allowed' : 'denied'))
      // Whom the verifier turns away, RBAC is not asked about; Istio's verifier is written with the policies.
      const asked = (at: number) => target === 'istio' || outcomes[at]?.status !== 401
      expect(texts.filter((_, at) => asked(at) && said[at] !== decided[at])).toEqual([])
      expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set([200, 401, 403]))
      expect(decided.filter((one) => one === 'allowed').length).toBeGreaterThan(REQUESTS / 8)
      const odd = outcomes.filter(({ allowed }, at) => allowed && sent[at]?.request.path === '/odd')
      // To Istio, a star is a wildcard: it refuses such a group, and its report says so.
      if (target === 'istio') expect([odd, report.loss]).toEqual([[], expect.arrayContaining([REFUSED])])
      else expect(odd.length).toBeGreaterThan(REQUESTS / 50)
    },
  )

  test.each(WRITTEN)('a filter for %s, as people write it: replay and Envoy agree', async (_, principal, decides) => {
    const rules = { policies: { users: { permissions: [{ any: true }], principals: [principal] } } }
    const type = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC'
    const filter = { name: 'envoy.filters.http.rbac', typed_config: { '@type': type, rules } }
    await lab.enforce([verifier, filter])
    const kinds = [...TOKENS.keys()].filter((kind) => TOKENS[kind]?.issuer !== FOREIGN)
    const sent = kinds.flatMap((kind) => [
      { kind, request: requestWith(kind, callerOf('frontend'), 'GET', '/mine') },
      { kind, request: requestWith(kind, callerOf('reports'), 'PUT', '/any') },
    ])
    const list = sent.map(({ request }) => request)
    const head = { proxies: { namespace: lab.callee.namespace } }
    const content = [head, filter].map((one) => JSON.stringify(one)).join('\n---\n')
    const said = verdicts([{ path: 'a.yaml', content }], seen(sent), known())
    const { wrong, uncertain } = compare(list, await drive(lab, list), said)
    expect(wrong).toEqual([])
    expect(uncertain.length > 0).toBe(!decides)
  })

  test('and so it does on the rollups of the log that Envoy wrote', { timeout: 120_000 }, async () => {
    const log = lab.logs.callee.recommended
    const before = (await logLines(log, REQUESTS)).length
    await lab.enforce([verifier])
    const habits = HABITS.flatMap(([account, method, path, kinds]) =>
      Array.from({ length: HABIT_TIMES }, (_, at) =>
        requestWith(kinds[at % kinds.length] ?? 0, callerOf(account), method, path),
      ),
    )
    const learned = await drive(lab, habits)
    expect(learned.every(({ allowed }) => allowed)).toBe(true)

    product = await openProduct()
    await product.declare(objectsOf(lab.callee, CALLERS))
    const lines = (await logLines(log, before + habits.length)).slice(before)
    const own = join(dir, 'habits.log')
    await writeFile(own, `${lines.join('\n')}\n`)
    expect(await product.load('istio-json', own)).toMatchObject({ accepted: habits.length, rejected: 0 })
    const { files, report } = await product.cinch.generate({ target: 'istio', window: {}, userConditions: true })
    const asked = report.permissions.map(
      ({ operation: { method, path }, conditions, unconditional, questions }) =>
        `${method} ${path}: ${conditions.map(({ values }) => values.join(' | ')).join(' & ')}${unconditional ?? ''}${questions ?? ''}`,
    )
    expect(asked.sort()).toEqual([
      'GET /mine: https://id.example & all',
      'GET /mine: no request carried a usermachine_to_machine',
      'GET /open: some requests carried no user',
      "GET /partners/{int}: https://partners.example & it's: {x}",
      "POST /admin: https://id.example | https://partners.example & admin | it's: {x}",
      'PUT /any: https://id.example',
    ])

    const enforced = before + habits.length
    await lab.enforce([verifier, ...rbacFilters(yamlOf(files), lab.callee)])
    const sent = attempts(HABITS)
    const outcomes = await drive(
      lab,
      sent.map(({ request }) => request),
    )
    const later = join(dir, 'attempts.log')
    const written = (await logLines(log, enforced + sent.length)).slice(enforced)
    await writeFile(later, `${written.join('\n')}\n`)
    expect(await product.load('istio-json', later)).toMatchObject({ accepted: sent.length, rejected: 0 })
    const allowed = outcomes.filter((outcome) => outcome.allowed).length
    const result = await product.cinch.replay(files, {})
    const unverified = outcomes.filter(({ status }) => status === 401).length
    const uncertain = result.uncertain.reduce((sum, { requests }) => sum + requests, 0)
    expect(result).toMatchObject({ newly_denied: [], newly_allowed: [], requests: habits.length + sent.length })
    expect(result.still_allowed).toBe(habits.length + allowed)
    expect(result.still_denied + uncertain).toBe(sent.length - allowed)
    // Whose token was not accepted is not in the log: only of these there is doubt, where a rule might have let them in.
    expect(uncertain).toBeGreaterThan(0)
    expect(uncertain).toBeLessThanOrEqual(unverified)
  })
})

const yamlOf = (files: readonly { path: string; content: string }[]) =>
  files
    .filter(({ path }) => path.endsWith('.yaml'))
    .map(({ content }) => content)
    .join('---\n')

const REFUSED = expect.objectContaining({ kind: 'condition', done: 'refused', path: '/odd' })

function filtersOf(target: string, files: readonly PolicyFile[]): HttpFilter[] {
  const enforced = files.filter(({ path }) => path.startsWith('2-enforce/'))
  if (target === 'envoy-rbac') return filtersIn(enforced, 'envoy.filters.http.rbac')
  return rbacFilters(yamlOf(files), CALLEE)
}

function callerOf(account: string): string {
  return CALLERS.find((principal) => principal.endsWith(`/sa/${account}`)) ?? ''
}

/** A token of each kind, and Envoy's filter that verifies those of the known issuers as a RequestAuthentication asks. */
async function issue(): Promise<{ tokens: (string | null)[][]; verifier: HttpFilter }> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256', use: 'sig', kid: 'lab' }] })
  const sign = async ({ issuer, groups, claim = groups }: TokenKind, subject: string) =>
    await new SignJWT({ groups: claim })
      .setProtectedHeader({ alg: 'ES256', kid: 'lab' })
      .setIssuer(issuer)
      .setSubject(subject)
      .setIssuedAt()
      .setExpirationTime(Math.floor(performance.timeOrigin / 1_000) + HOUR_S)
      .sign(privateKey)
  const subjects = Array.from({ length: SUBJECTS }, (_, at) => `user-${at}`)
  const tokens = await Promise.all(
    TOKENS.map(async (kind) => (kind ? await Promise.all(subjects.map((name) => sign(kind, name))) : [null])),
  )
  const provider = (issuer: string) => ({
    issuer,
    local_jwks: { inline_string: keys },
    forward: true,
    payload_in_metadata: 'payload',
  })
  const requirements = [...ISSUERS.map((name) => ({ provider_name: name })), { allow_missing: {} }]
  const verifier = {
    name: 'envoy.filters.http.jwt_authn',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication',
      providers: Object.fromEntries(ISSUERS.map((issuer) => [issuer, provider(issuer)])),
      rules: [{ match: { prefix: '/' }, requires: { requires_any: { requirements } } }],
    },
  }
  return { tokens, verifier }
}
