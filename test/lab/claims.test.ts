import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generate } from '../../policy-gen/generate.ts'
import { targetById } from '../../policy-gen/targets/index.ts'
import type { ObservedOperation, OperationUsers } from '../../services/model/operation.ts'
import { inventory, seeded } from '../policy-gen/support.ts'
import { required } from '../requirements.ts'
import { drive, type LabRequest } from './driver.ts'
import type { HttpFilter } from './envoy-config.ts'
import { CALLERS, type Lab, startLab } from './lab.ts'
import { rbacFilters } from './rbac.ts'
import { labBinary } from './setup.ts'
import { picker } from './traffic.ts'
import { observationOf, verdicts, WINDOW } from './verdicts.ts'

const REQUESTS = 10_000
const HOUR_S = 3_600

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

const usersOf = (kinds: readonly number[]): OperationUsers => {
  const told = kinds.map((kind) => TOKENS[kind] ?? null)
  const seen = told.flatMap((token) => (token ? [{ issuer: token.issuer, groups: token.groups }] : []))
  return { without: told.filter((token) => token === null).length, seen }
}

describe.skipIf(!labBinary() && !required('CINCH_REQUIRE_LAB'))('conditions on users, at Envoy', () => {
  const pick = picker(seeded(20_260_707))
  let dir: string
  let lab: Lab
  let tokens: (string | null)[]
  let verifier: HttpFilter

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cinch-lab-claims-'))
    lab = await startLab({ dir })
    ;({ tokens, verifier } = await issue())
  }, 60_000)
  afterAll(async () => {
    await lab?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  test('replay says of every request with its token what Envoy decides', { timeout: 60_000 }, async () => {
    const known = inventory({ workloads: { '/shop/orders': lab.callee.labels } })
    const operations = HABITS.map(
      ([account, method, path, kinds]): ObservedOperation => ({
        ...observationOf({ caller: callerOf(account), method, path }, lab.callee),
        users: usersOf(kinds),
      }),
    )
    const options = { userConditions: true, window: WINDOW }
    const { files, report } = generate(operations, known, targetById('istio'), options)
    expect(report.permissions.map(({ conditions }) => conditions.length)).toContain(2)
    const yaml = files.filter(({ path }) => path.endsWith('.yaml')).map(({ content }) => content)
    await lab.enforce([verifier, ...rbacFilters(yaml.join('---\n'), lab.callee)])

    const sent = Array.from({ length: REQUESTS }, () => {
      const [account, method, path, kinds] = pick(HABITS)
      const kind = pick([true, false]) ? pick(kinds) : pick([...TOKENS.keys()])
      const caller = pick([true, true, false]) ? callerOf(account) : pick(CALLERS)
      const token = tokens[kind] ?? null
      const request: LabRequest = {
        caller,
        method: pick([true, true, false]) ? method : pick(['GET', 'PUT', 'POST']),
        path: pick([path, path, path, `${path}/`, `/${path}`]).replace('{int}', '7'),
        ...(token ? { headers: { authorization: `Bearer ${token}` } } : {}),
      }
      return { request, kind }
    })
    const outcomes = await drive(
      lab,
      sent.map(({ request }) => request),
    )
    const observed = sent.map(({ request, kind }) => ({
      ...observationOf(request, lab.callee),
      users: usersOf([kind]),
    }))
    const said = verdicts(files, observed, known)
    const texts = sent.map(
      ({ request, kind }, at) => `${request.caller} ${request.method} ${request.path} ${kind} ${said[at]}`,
    )
    const decided = outcomes.map(({ allowed }) => (allowed ? 'allowed' : 'denied'))
    expect(texts.filter((_, at) => said[at] !== decided[at])).toEqual([])
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set([200, 401, 403]))
    expect(decided.filter((one) => one === 'allowed').length).toBeGreaterThan(REQUESTS / 8)
  })
})

function callerOf(account: string): string {
  return CALLERS.find((principal) => principal.endsWith(`/sa/${account}`)) ?? ''
}

/** A token of each kind, and Envoy's filter that verifies those of the known issuers as a RequestAuthentication asks. */
async function issue(): Promise<{ tokens: (string | null)[]; verifier: HttpFilter }> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256', use: 'sig', kid: 'lab' }] })
  const sign = async ({ issuer, groups, claim = groups }: TokenKind) =>
    await new SignJWT({ groups: claim })
      .setProtectedHeader({ alg: 'ES256', kid: 'lab' })
      .setIssuer(issuer)
      .setSubject('u')
      .setIssuedAt()
      .setExpirationTime(Math.floor(performance.timeOrigin / 1_000) + HOUR_S)
      .sign(privateKey)
  const tokens = await Promise.all(TOKENS.map(async (kind) => (kind ? await sign(kind) : null)))
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
