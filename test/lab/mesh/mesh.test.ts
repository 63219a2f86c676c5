import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { required } from '../../requirements.ts'
import { labBinary } from '../setup.ts'
import { ENUMERATED, FORGED, STUFFING_TRIES } from './attacks.ts'
import { type Driven, drive } from './drive.ts'
import { type Line, linesOf, logsOf, settled, told } from './logs.ts'
import { type Mesh, startMesh } from './mesh.ts'
import { isReceived, isSent, type Received, type Sent, truthGraph } from './truth.ts'
import { EGRESS, INGRESS, principalOf, TRANSIT, WORKLOADS, workloadOf } from './world.ts'

const START_DEADLINE_MS = 15_000
const callees = WORKLOADS.filter(({ role, ports }) => role === 'sidecar' && ports.length > 0)

/*
 * The mesh against the truth: what applications and driver wrote down, which no Envoy had a hand in. Envoys' own logs must
 * tell the same, line by line and edge by edge; where they do not, the test says what a mesh's log cannot tell.
 */
describe.skipIf(!labBinary() && !required('CINCH_REQUIRE_LAB'))('the mesh', () => {
  let dir: string
  let mesh: Mesh
  let driven: Driven
  let startedMs: number
  const inbound = new Map<string, Line[]>()
  const all = new Map<string, Line[]>()

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cinch-mesh-test-'))
    const began = performance.now()
    mesh = await startMesh({ dir })
    startedMs = performance.now() - began
    driven = await drive(mesh, { seed: 20_260_701, scale: 1.5 })
    await settled(mesh)
    for (const id of mesh.envoys.keys()) {
      const lines = await told(mesh, id)
      all.set(id, lines)
      inbound.set(
        id,
        lines.filter(({ upstream_cluster: cluster }) => cluster?.startsWith('inbound|')),
      )
    }
  })
  afterAll(async () => {
    await mesh?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  const sent = () => mesh.truth.records.filter(isSent)
  const received = (callee: string) =>
    mesh.truth.records.filter(isReceived).filter((record) => record.callee === callee && !record.bypass)
  const during = (situation: string) => sent().filter((record) => record.situation === situation)
  const lines = (id: string) => all.get(id) ?? []
  const wasDenied = (line: Line) =>
    `${line.response_code_details}${line.connection_termination_details}`.includes('rbac_access_denied')

  test('starts in time, with thirteen Envoys, and does what the plan expects', () => {
    expect(mesh.envoys.size).toBe(13)
    expect(startedMs).toBeLessThan(START_DEADLINE_MS)
    expect(driven.surprises).toEqual([])
    const steps = driven.plan.flatMap((item) => item.steps.map(() => item.item))
    const roots = sent().filter(isRoot(driven))
    expect(roots.map(({ item }) => item).sort()).toEqual(steps.sort())
  })

  test.each(callees.map(({ id }) => id))('%s: its sidecar tells every call that its application got', (id) => {
    const [port] = workloadOf(id).ports
    const seen = (inbound.get(id) ?? []).filter((line) => !wasDenied(line))
    const got = received(id)
    expect(got.length).toBeGreaterThan(0)
    if (port?.protocol === 'tcp') {
      expect(seen.length).toBe(got.length)
      return
    }
    // By the request id that arrived: an attempt each, with method and path as the application received them.
    const told = seen.map(({ request_id, method, path }) => `${request_id} ${method} ${path}`)
    expect(told.sort()).toEqual(got.map(({ request_id, method, path }) => `${request_id} ${method} ${path}`).sort())
  })

  test('every edge between identities has the lines of the truth, allowed and denied', () => {
    const edges = truthGraph(mesh.truth.records).filter(
      ({ source, destination }) =>
        workloadOf(destination).role === 'sidecar' && !source.startsWith('client:') && hasSidecarOrCertificate(source),
    )
    expect(edges.length).toBeGreaterThan(15)
    const told = (source: string, destination: string) => {
      const principal = `spiffe://${principalOf(workloadOf(source))}`
      return (inbound.get(destination) ?? []).filter((line) => line.source_principal === principal)
    }
    const sharing = (source: string) => principalOf(workloadOf(source))
    // The two versions of the catalog share an identity, so its lines are compared together.
    const sums = new Map<string, { truth: number[]; told: number[] }>()
    for (const { source, destination, requests, denied } of edges) {
      const key = `${sharing(source)} ${destination}`
      const seen = told(source, destination)
      const refused = seen.filter(wasDenied).length
      const sum = sums.get(key) ?? { truth: [0, 0], told: [seen.length - refused, refused] }
      sum.truth = [sum.truth[0]! + requests, sum.truth[1]! + denied]
      sums.set(key, sum)
    }
    expect([...sums].map(([key, { told: counts }]) => [key, counts])).toEqual(
      [...sums].map(([key, { truth: counts }]) => [key, counts]),
    )
    // And no identity is told that the truth does not know.
    const known = new Set([...sums.keys()])
    const unknown = [...inbound].flatMap(([id, list]) =>
      list
        .filter(({ source_principal }) => source_principal)
        .map(({ source_principal }) => `${source_principal?.slice('spiffe://'.length)} ${id}`)
        .filter((key) => !known.has(key)),
    )
    expect(unknown).toEqual([])
  })

  test('what the application refuses itself is no denial of a proxy', () => {
    const got = mesh.truth.records.filter(isReceived)
    const calls = new Set(got.map(({ call }) => call))
    expect(sent().filter(({ refused_by, call }) => refused_by !== '' && calls.has(call))).toEqual([])
    expect(got.filter(({ callee, status }) => callee === 'shop/orders' && status === 404).length).toBeGreaterThan(0)
  })

  test('the ingress gateway tells every request of users, its refusals and its preflights', () => {
    const users = sent().filter(({ caller }) => caller.startsWith('client:'))
    const byAddress = (list: string[]) => list.toSorted()
    expect(byAddress(lines(INGRESS).map((line) => hostOf(line.downstream_direct_remote_address)))).toEqual(
      byAddress(users.map(({ caller }) => caller.slice('client:'.length))),
    )
    const refused = lines(INGRESS).filter((line) => line.response_code_details?.startsWith('jwt_authn_access_denied'))
    expect(refused.length).toBe(users.filter(({ refused_by }) => refused_by === 'gateway').length)
    expect(refused.length).toBeGreaterThan(0)
    const preflights = lines(INGRESS).filter((line) => line.response_code_details === 'cors_response')
    expect(preflights.length).toBe(users.filter(({ method }) => method === 'OPTIONS').length)
    expect(preflights.length).toBeGreaterThan(0)
  })

  test('a path that the gateway rewrites: the original beside what the callee got', () => {
    const rewritten = lines(INGRESS).filter((line) => line.original_path?.startsWith('/api/orders'))
    expect(rewritten.length).toBe(received('shop/orders').filter(({ via }) => via.includes(INGRESS)).length)
    for (const { path, original_path } of rewritten) expect(original_path).toBe(`/api${path}`)
  })

  test('users are told with their claims, at the gateway and at the one sidecar that asks', () => {
    const users = (id: string) => lines(id).map(({ jwt }) => jwt['sub'])
    const withToken = received('shop/orders').filter(({ user }) => user !== '')
    expect(users('shop/orders').filter(Boolean).sort()).toEqual(withToken.map(({ user }) => user).sort())
    expect(new Set(users(INGRESS)).size).toBeGreaterThan(5)
    const staff = lines('shop/orders').find(({ jwt }) => jwt['sub'] === 'ada')
    expect(staff?.jwt).toMatchObject({ acr: 'urn:mfa:phishing-resistant', amr: ['hwk', 'user'] })
    expect(users('shop/frontend').filter(Boolean)).toEqual([])
  })

  test('one call with two attempts: one line of the caller, two of the callee', () => {
    const id = (list: Received[], path: string) => list.filter((record) => record.path.startsWith(path))
    const versions = ['shop/catalog-v1', 'shop/catalog-v2']
    const attempts = versions.flatMap((version) => id(received(version), '/unstable/'))
    const calls = new Set(attempts.map(({ call }) => call))
    const outbound = lines('shop/frontend').filter(({ path }) => path?.startsWith('/unstable/'))
    expect(outbound.length).toBe(calls.size)
    expect(attempts.length).toBeGreaterThan(calls.size)
    expect(outbound.every(({ response_code }) => response_code === 200)).toBe(true)
  })

  test('both versions of the canary answer, by weight', () => {
    const [first, second] = ['shop/catalog-v1', 'shop/catalog-v2'].map((id) => received(id).length)
    expect(second).toBeGreaterThan(0)
    expect(first).toBeGreaterThan(second!)
  })

  test('an answer that comes too late is a timeout at the gateway and a lost client at the callee', () => {
    const late = sent().filter(({ status }) => status === 504)
    expect(late.length).toBeGreaterThan(0)
    expect(lines(INGRESS).filter(({ response_flags }) => response_flags === 'UT').length).toBe(late.length)
    expect(inbound.get('shop/orders')?.filter(({ response_flags }) => response_flags === 'DC').length).toBe(late.length)
  })

  test('two trust domains: a caller of the other one is verified', () => {
    const [line] = inbound.get('pay/payments') ?? []
    expect(line).toMatchObject({
      source_principal: 'spiffe://cluster.local/ns/shop/sa/orders',
      destination_principal: 'spiffe://west.example/ns/pay/sa/payments',
      requested_server_name: 'outbound_.80_._.payments.pay.svc.cluster.local',
      tls_version: 'TLSv1.3',
    })
    // The transit gateway hands the connection on: the callee sees its address and the caller's identity.
    expect(hostOf(line!.downstream_direct_remote_address)).toBe(mesh.addresses.pod(TRANSIT))
  })

  test('outside: through the egress gateway with an identity, and around it without', () => {
    const charged = sent().filter(({ via }) => via.includes(EGRESS))
    expect(lines(EGRESS).length).toBe(charged.length)
    expect(new Set(lines(EGRESS).map((line) => `${line.source_principal} ${line.upstream_cluster}`))).toEqual(
      new Set(['spiffe://west.example/ns/pay/sa/payments outbound|80||api.bank.example']),
    )
    const around = lines('ops/reports').filter((line) => line.upstream_cluster === 'PassthroughCluster')
    expect(around.map(({ authority }) => authority)).toContain('feeds.partner.example')
  })

  test('plain text: the legacy hop out, the legacy caller in, the refused connection, and nothing of the bypass', () => {
    const printed = lines('shop/orders').filter((line) => line.upstream_cluster?.includes('printer.legacy'))
    expect(printed.length).toBe(
      mesh.truth.records.filter((record) => isReceived(record) && record.callee === 'legacy/printer').length,
    )
    const at = (caller: string) => mesh.addresses.pod(caller)
    for (const caller of ['legacy/printer', 'default/debug']) {
      const got = callees.flatMap(({ id }) => received(id)).filter((record) => record.caller === caller)
      const seen = [...inbound.values()]
        .flat()
        .filter((line) => hostOf(line.downstream_direct_remote_address) === at(caller))
      expect(seen.length, caller).toBe(got.length)
      expect(
        seen.every((line) => line.source_principal === null && line.tls_version === null),
        caller,
      ).toBe(true)
    }
    const refused = lines('shop/orders').filter((line) => line.response_flags === 'NR' && line.method === null)
    expect(refused.map((line) => hostOf(line.downstream_direct_remote_address))).toEqual([at('default/debug')])
    const bypass = mesh.truth.records.filter((record) => isReceived(record) && record.bypass)
    expect(bypass.map(({ situation }) => situation)).toEqual(['plaintext-bypass', 'plaintext-bypass'])
  })

  test('the attacks are in the truth', () => {
    expect(during('credential-stuffing').map(({ status }) => status)).toEqual([...Array(STUFFING_TRIES).fill(401), 200])
    expect(during('enumeration').filter(({ path }) => path.startsWith('/api/orders/')).length).toBe(ENUMERATED)
    expect(during('lateral-refused').map(({ refused_by }) => refused_by)).toEqual(Array(5).fill('callee'))
    expect(during('lateral-allowed').every(({ answered }) => answered)).toBe(true)
    expect(during('new-caller').map(({ caller, status }) => [caller, status])).toEqual([
      ['ops/backup', 200],
      ['ops/backup', 403],
    ])
    const stolen = during('stolen-token')
    const home = sent().filter(({ attack, user, caller }) => !attack && user === stolen[0]?.user && isClient(caller))
    expect(stolen.length).toBe(6)
    expect(new Set(home.map(({ caller }) => caller)).has(stolen[0]!.caller)).toBe(false)
  })

  test('forgeries: which of them a log believes, and that the application was told so too', () => {
    const forged = mesh.truth.records.filter(isReceived).filter(({ situation }) => situation.startsWith('forged'))
    expect(forged.length).toBeGreaterThanOrEqual(4)
    const everything = [...all.values()].flat()
    // The connection, not a header, says who called and from where.
    const principals = everything.map(({ source_principal }) => source_principal)
    expect(principals.some((principal) => principal?.includes('forged'))).toBe(false)
    expect(everything.some((line) => hostOf(line.downstream_direct_remote_address) === FORGED.address)).toBe(false)
    expect(everything.some(({ path }) => path?.startsWith(FORGED.path))).toBe(false)
    // These can be chosen inside the mesh, and sidecars log them as they come.
    const inside = inbound.get('risk/fraud')?.filter(({ request_id }) => request_id === FORGED.requestId)
    expect(inside).toHaveLength(1)
    expect(inside?.[0]).toMatchObject({ original_path: FORGED.path, path: '/summary' })
    expect(inside?.[0]?.source_principal).toBe('spiffe://cluster.local/ns/ops/sa/reports')
  })

  test('each call is one line in each format', async () => {
    for (const id of mesh.envoys.keys()) {
      const { text, json, recommended } = logsOf(mesh, id)
      const counts = await Promise.all([text, json, recommended].map(async (path) => (await linesOf(path)).length))
      expect(new Set(counts).size, id).toBe(1)
    }
  })

  test('statistics are Envoy’s own; Istio’s request metrics need a filter that this Envoy does not have', async () => {
    const answer = await fetch(`http://${mesh.envoys.get('shop/orders')?.admin}/stats/prometheus`)
    const text = await answer.text()
    const counter = /^envoy_http_downstream_rq_total\{envoy_http_conn_manager_prefix="inbound_8080"\} (\d+)$/m
    const refused = sent().filter(({ callee, refused_by }) => callee === 'shop/orders' && refused_by === 'callee')
    expect(Number(counter.exec(text)?.[1])).toBe(received('shop/orders').length + refused.length)
    expect(text.includes('istio_requests_total')).toBe(false)
  })

  test('everything stops, no process stays, and the transit gateway tells its connections at their end', async () => {
    await mesh.stop()
    for (const [id, { pid }] of mesh.envoys) expect(() => process.kill(pid, 0), id).toThrow(/ESRCH/)
    const transit = await told(mesh, TRANSIT)
    const names = new Set(
      transit.map(({ requested_server_name, upstream_cluster }) => `${requested_server_name} ${upstream_cluster}`),
    )
    expect(names).toEqual(
      new Set(
        ['payments.pay', 'fraud.risk'].map((name) =>
          Array(2).fill(`outbound_.80_._.${name}.svc.cluster.local`).join(' '),
        ),
      ),
    )
  })
})

const hostOf = (address: string) => address.slice(0, address.lastIndexOf(':'))
const isClient = (caller: string) => caller.startsWith('client:')
const hasSidecarOrCertificate = (id: string) => workloadOf(id).role !== 'none' || id === 'ops/backup'

/** The calls that the driver itself made: those of users, and those that an item's step names. */
function isRoot({ plan }: Driven) {
  const callers = new Map(
    plan.map(({ item, steps }) => {
      const names = steps.map((step) =>
        step.kind === 'http' && step.door.kind !== 'browser' ? step.door.from : 'from' in step ? step.from : '',
      )
      return [item, new Set(names)] as const
    }),
  )
  return ({ item, caller }: Sent) => isClient(caller) || callers.get(item)?.has(caller) === true
}
