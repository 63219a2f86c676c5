import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Report } from '../../../policy-gen/report.ts'
import type { PolicyFile } from '../../../policy-gen/targets/target.ts'
import type { AdviceAnswer } from '../../../services/api/lifecycle/advise.ts'
import { readFiles } from '../../../services/cli/policy-files.ts'
import type { DraftLife } from '../../../services/model/lifecycle.ts'
import type { RefusedCall, ReplayCall, ReplayResult } from '../../../services/model/replay.ts'
import { required } from '../../requirements.ts'
import { rbacFilters } from '../rbac.ts'
import { filtersFor } from '../rendered-filters.ts'
import { labBinary } from '../setup.ts'
import { applicationOf, permissionOf, permissionsOf, wasRefused } from './crossing.ts'
import { drive } from './drive.ts'
import { type Line, told } from './logs.ts'
import { type Mesh, startMesh } from './mesh.ts'
import { type Day, type Operator, operatorOf } from './operator.ts'
import { type Json, TYPE } from './parts.ts'
import { calleeOf, type Review, reviewOf, teamOf, WHY } from './review.ts'
import type { Sent } from './truth.ts'
import { EGRESS, INGRESS, principalOf, type Workload, workloadOf } from './world.ts'

const HTTP = 'envoy.filters.http.rbac'
/** Whose Envoys enforce, those first on whom nobody else waits. */
const CALLEES = [
  ...['risk/fraud', EGRESS, 'pay/payments', 'shop/cache', 'shop/stock', 'auth/issuer'],
  ...['shop/catalog-v2', 'shop/catalog-v1', 'shop/orders', 'shop/frontend'],
]
/** Where the driver's attacks are that no permission of theirs covers. */
const CROSSING = ['forged-inside', 'lateral-allowed', 'lateral-refused', 'new-caller', 'plaintext-sidecar']

/*
 * The loop that the product is for, in a mesh that enforces nothing at first: observe, propose, review, dry run, enforce, and again, by
 * the commands of the life of policies; what is in the Envoys is what was delivered, and what is read back is what they say they run.
 * What must come of it is computed from what applications and driver wrote down.
 */
describe.skipIf(!labBinary() && !required('CINCH_REQUIRE_LAB'))('the closed loop', { timeout: 120_000 }, () => {
  let dir: string
  let mesh: Mesh
  let operator: Operator
  let review: Review
  /** Normal operation, from which policies are learned; on the first day the legacy system speaks plain text. */
  let plain: Day
  let learned: Day[]
  let report: Report
  let callees: string[]
  let enforced: Day
  let days: Day[]
  let proposed: RefusedCall[]

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cinch-loop-'))
    mesh = await startMesh({ dir, policies: 'delivered' })
    operator = await operatorOf(mesh, dir)
    review = reviewOf(operator, dir)
  })
  afterAll(async () => {
    await operator?.close()
    await mesh?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  const out = () => join(dir, 'policies')
  const replayed = async (day: Day, files = out()) =>
    (await operator.cinch('policies', 'replay', files, ...day.window, '--json')).json<ReplayResult>()
  const replayedDays = async (of: readonly Day[]) =>
    (await operator.cinch('policies', 'replay', review.repository, ...windowOf(of), '--json')).json<ReplayResult>()
  const states = async () => new Set((await review.drafts()).map(({ state, wanted }) => `${state} ${wanted}`.trim()))
  const normally = (seed: number) => drive(mesh, { seed, scale: 1, attacks: false, legacy: 'mutual' })
  /** Puts what was delivered into one Envoy, which says that it runs it. @returns the files that it has it from */
  const pull = async (id: string) => {
    const filters = filtersFor(review.files, workloadOf(id))
    expect(filters.length, id).toBeGreaterThan(0)
    const mine = filters.filter(({ name }) => (name === HTTP) !== isTcp(id)) as unknown as Json[]
    await mesh.deliver(id, isTcp(id) ? { http: [], connections: mine } : { http: mine, connections: [] })
    return review.files.filter((file) => filtersFor([file], workloadOf(id)).length > 0)
  }
  const pullAll = async () => {
    const files = []
    for (const id of CALLEES) files.push(...(await pull(id)))
    await review.deployed(files, true)
  }

  test('observe, generate: replay says beforehand whom an identity would be asked of that has none', async () => {
    plain = await operator.day(() => drive(mesh, { seed: 1, scale: 1, attacks: false }))
    await operator.cinch('policies', 'generate', '--target', 'envoy-rbac', '--out', out(), ...plain.window)
    const result = await replayed(plain)
    const legacy = plain.received.filter(({ caller }) => caller === 'legacy/printer')
    expect(legacy.length).toBeGreaterThan(0)
    expect(result.newly_denied.every(({ method, path }) => `${method} ${path}` === 'GET /items/export')).toBe(true)
    expect(sum(result.newly_denied)).toBe(legacy.length)
    expect(result.uncertain).toEqual([])
  })

  test('its owner gives it one; generated again, nothing of that day would be denied', async () => {
    learned = [await operator.day(() => normally(2)), await operator.day(() => normally(3))]
    const since = learned[0]?.window.slice(0, 2) ?? []
    await operator.cinch('policies', 'generate', '--target', 'envoy-rbac', '--out', out(), ...since)
    report = reportIn(readFiles(out()))
    for (const day of learned) expect(await replayed(day)).toMatchObject({ newly_denied: [], uncertain: [] })
    expect(granted(report)).toEqual(permissionsOf(learned))
  })

  test('a draft of each callee is reviewed, and approved by its owner and nobody else', async () => {
    const window = [...(learned[0]?.window.slice(0, 2) ?? []), ...(learned.at(-1)?.window.slice(2) ?? [])]
    await review.policies('propose', ...WHY, ...window)
    callees = (await review.drafts()).map(({ callee }) => callee)
    const applications = new Set(CALLEES.map((id) => `${workloadOf(id).cluster}/${applicationOf(id)}`))
    expect(new Set(callees)).toEqual(applications)
    expect((await review.drafts()).every(({ owners, callee }) => owners.join() === teamOf(callee))).toBe(true)
    await review.each('submit', callees)
    const [first = ''] = callees
    await expect(review.policies('approve', first, '--as', 'team-nobody', ...WHY)).rejects.toThrow('its owner is')
    await expect(review.policies('promote', first, ...WHY)).rejects.toThrow('it is in review')
    await review.approve(callees)
    expect(await states()).toEqual(new Set(['approved']))
    await review.deliver()
    expect(review.files).toEqual([])
  })

  test('dry run: the Envoys’ own logs count what replay of the same day says, call by call', async () => {
    await review.each('promote', callees)
    await review.deliver()
    expect(review.files.every(({ path }) => path.includes('1-shadow/'))).toBe(true)
    await pullAll()
    expect(await review.readBack()).toEqual(callees.map((callee) => `${callee} dry_run`))
    const before = await inbound()
    const known = new Map(before.map(({ workload, lines }) => [workload.id, lines.length]))
    const day = await operator.day(() => drive(mesh, { seed: 4, scale: 2, legacy: 'mutual' }))
    // Nothing is enforced: but for a listener that takes no plain text, nobody was refused.
    expect(day.sent.filter(wasRefused).map(({ refused_by }) => refused_by)).toEqual(['listener'])
    const lines = (await inbound()).flatMap(({ workload, lines }) =>
      lines.slice(known.get(workload.id)).map((line) => ({ workload, line })),
    )
    const measured = lines.filter(({ line }) => shadowOf(line) === 'denied')
    expect(lines.filter(({ line }) => shadowOf(line) === undefined)).toEqual([])
    const { newly_denied, denied_not_found, uncertain } = await replayed(day)
    expect(uncertain).toEqual([])
    expect(measured.length).toBeGreaterThan(10)
    expect(countsOf([...newly_denied, ...denied_not_found].map((call) => [callText(call), call.requests]))).toEqual(
      countsOf(measured.map(({ workload, line }) => [lineText(workload, line), 1])),
    )
    expect(crossing(day).filter(({ refused_by }) => refused_by !== 'listener')).toHaveLength(measured.length)
    // What was measured proposes the next step: nothing that was served before would be denied. Where too little was seen, it waits.
    const atListeners = day.sent.filter(wasRefused).map(({ callee }) => [calleeOf(callee), 1] as const)
    const taken = countsOf([...lines.map(({ workload }) => [calleeOf(workload.id), 1] as const), ...atListeners])
    const { deployed } = (await review.policies('advice', '--json')).json<AdviceAnswer>()
    expect(deployed.map((one) => [one.callee, one.requests, one.denied, one.action]).sort()).toEqual(
      [...taken].map(([callee, requests]) => [callee, requests, 0, requests < 100 ? 'wait' : 'promote']),
    )
    expect(deployed.some(({ action }) => action === 'promote')).toBe(true)
    expect(deployed.reduce((all, { unknown }) => all + unknown, 0)).toBe(measured.length)
  })

  test('enforce, callee by callee, while users go on: nothing legitimate is refused', async () => {
    await review.each('promote', callees)
    await review.deliver()
    expect(review.files.every(({ path }) => path.includes('2-enforce/'))).toBe(true)
    const day = await operator.day(async () => {
      const running = drive(mesh, { seed: 5, scale: 2, attacks: false, legacy: 'mutual' })
      await pullAll()
      await running
    })
    expect(await states()).toEqual(new Set(['dry_run enforced']))
    expect(await review.readBack()).toEqual(callees.map((callee) => `${callee} enforced`))
    expect(day.sent.length).toBeGreaterThan(300)
    expect(day.sent.filter(wasRefused)).toEqual([])
  })

  test('enforced: nothing legitimate is denied, and every attack that crosses a permission is', async () => {
    enforced = await operator.day(() => drive(mesh, { seed: 6, scale: 1, legacy: 'mutual' }))
    const crossed = expectGuarded(enforced)
    // The policies that are enforced explain each refusal that was measured, and would have refused nothing else.
    const { newly_denied, newly_allowed, uncertain, refused: told } = await replayed(enforced, review.repository)
    expect({ newly_denied, uncertain }).toEqual({ newly_denied: [], uncertain: [] })
    // Tokens at the ingress gateway, and plain text at a listener, are refused by what these files do not speak of.
    const [plainText, ...others] = newly_allowed.filter(({ destination }) => destination !== INGRESS)
    expect([plainText, others]).toMatchObject([{ destination: 'shop/orders', method: '', requests: 1 }, []])
    expect(sum(told)).toBe(crossed.length - 1)
  })

  test('a replica that was taken over, and a new caller: both are refused and shown, and no day of it earns a permission', async () => {
    const known = granted(report)
    days = []
    for (let day = 0; day < 2; day++) days.push(await operator.day(ask))
    expect(days.flatMap(({ sent }) => sent).map((call) => [call.caller, call.callee, wasRefused(call)])).toEqual(
      days.flatMap(() => [
        ['shop/catalog-v2', 'shop/cache', false],
        ['shop/catalog-v2', 'risk/fraud', true],
        ['ops/reports', 'shop/catalog-v1', true],
      ]),
    )
    // All that was seen since policies are enforced, with the days on which both asked and asked again.
    const since = enforced.window.slice(0, 2)
    await operator.cinch('policies', 'generate', '--target', 'envoy-rbac', '--out', join(dir, 'again'), ...since)
    expect([...granted(reportIn(readFiles(join(dir, 'again'))))].filter((one) => !known.has(one))).toEqual([])
    const asked = await replayedDays(days)
    expect(countsOf(asked.refused.map((call) => [callText(call), call.requests]))).toEqual(
      countsOf([
        ['cluster.local/ns/ops/sa/reports shop/catalog GET /items/export', 2],
        ['cluster.local/ns/shop/sa/catalog risk/fraud GET /summary', 2],
      ]),
    )
    // With the evidence by which an owner decides.
    const [first, last] = [days[0]?.window[1] ?? '', days[1]?.window[1] ?? '']
    expect(asked.refused.every(({ evidence }) => evidence === 'verified')).toBe(true)
    expect(asked.refused.find(({ destination }) => destination === 'risk/fraud')).toMatchObject({
      days: 2,
      service_port: 80,
    })
    expect(
      asked.refused
        .map((call) => call.first_seen)
        .sort()[0]
        ?.slice(0, 10),
    ).toBe(first.slice(0, 10))
    expect(
      asked.refused
        .map((call) => call.last_seen)
        .sort()
        .at(-1)
        ?.slice(0, 10),
    ).toBe(last.slice(0, 10))
    proposed = asked.refused
  })

  test('what its owner approves works, and nothing else does', async () => {
    const [legitimate] = proposed.filter(({ source }) => source === principalOf(workloadOf('ops/reports')))
    const callee = calleeOf('shop/catalog-v1')
    await writeFile(
      join(dir, 'declared.json'),
      JSON.stringify({ permissions: [wordFor(callee, legitimate as RefusedCall)] }),
    )
    await operator.cinch('policies', 'declare', join(dir, 'declared.json'), ...WHY)
    const window = [...(learned[0]?.window.slice(0, 2) ?? []), ...(learned.at(-1)?.window.slice(2) ?? [])]
    const again = (await review.policies('propose', ...WHY, ...window, '--json')).json<{ proposed: DraftLife[] }>()
    expect(again.proposed.map((one) => one.callee)).toEqual([callee])
    await review.each('submit', [callee])
    await review.approve([callee])
    // Beside what is enforced, first in a dry run.
    const versions = ['shop/catalog-v1', 'shop/catalog-v2']
    const others = review.files.filter((file) =>
      versions.every((id) => filtersFor([file], workloadOf(id)).length === 0),
    )
    for (const stage of ['dry_run', 'enforced']) {
      await review.policies('promote', callee, ...WHY)
      await review.deliver()
      const files = [...new Set((await Promise.all(versions.map(pull))).flat())]
      expect(files).toHaveLength(stage === 'dry_run' ? 2 : 1)
      await review.deployed([...others, ...files], true)
      expect(await review.readBack()).toEqual([`${callee} ${stage}`])
    }
    const lives = (await review.drafts()).filter((one) => one.callee === callee)
    expect(lives.map(({ state }) => state)).toEqual(['withdrawn', 'enforced'])
    // Proven by replay: of what was refused, that call would be allowed and no other.
    const after = await replayedDays(days)
    expect(new Set(after.newly_allowed.map(callText))).toEqual(new Set([callText(legitimate as RefusedCall)]))
    expect(after).toMatchObject({ newly_denied: [], uncertain: [] })
    const day = await operator.day(ask)
    expect(day.sent.map((call) => [call.caller, call.status, wasRefused(call)])).toEqual([
      ['shop/catalog-v2', 0, false],
      ['shop/catalog-v2', 403, true],
      ['ops/reports', 200, false],
    ])
    const allowed = await replayed(day, review.repository)
    expect(allowed.refused.map(callText)).toEqual(after.refused.map(callText))
    expect(allowed).toMatchObject({ newly_denied: [], newly_allowed: [], uncertain: [] })
    // What was enforced before is there to go back to, approval and all.
    await review.policies('roll-back', callee, ...WHY)
    const back = (await review.drafts()).filter((one) => one.callee === callee)
    expect(back.map(({ state, wanted }) => `${state} ${wanted}`)).toEqual(['approved enforced', 'enforced withdrawn'])
  })

  test('the same permissions as Istio’s policies, in the same Envoys: they guard as much', async () => {
    const istio = join(dir, 'istio')
    const since = [...(learned[0]?.window.slice(0, 2) ?? []), ...(learned.at(-1)?.window.slice(2) ?? [])]
    await operator.cinch('policies', 'generate', '--target', 'istio', '--out', istio, ...since)
    const files = readFiles(istio).filter(({ path }) => path.endsWith('.yaml'))
    for (const id of CALLEES) {
      const workload = workloadOf(id)
      const mine = files.filter(({ path }) => path.startsWith(`${workload.cluster}/`)).map(({ content }) => content)
      const filters = rbacFilters(mine.join('---\n'), workload) as unknown as Json[]
      expect(filters.length, id).toBeGreaterThan(0)
      await mesh.deliver(
        id,
        isTcp(id) ? { http: [], connections: filters.map(ofConnections) } : { http: filters, connections: [] },
      )
    }
    expectGuarded(await operator.day(() => drive(mesh, { seed: 7, scale: 1, legacy: 'mutual' })))
  })

  /** Nothing legitimate was refused, every attack that crosses a permission was, and no other. @returns these attacks */
  function expectGuarded(day: Day): Sent[] {
    expect(day.sent.filter(({ attack }) => !attack).filter(wasRefused)).toEqual([])
    const crossed = crossing(day)
    expect([...new Set(crossed.map(({ situation }) => situation))].sort()).toEqual(CROSSING)
    expect(crossed.filter((call) => !wasRefused(call))).toEqual([])
    const arrived = new Set(day.received.map(({ call }) => call))
    expect(crossed.filter(({ call }) => arrived.has(call))).toEqual([])
    // What has a permission is not stopped by one: whose hands a token is in, and what goes around the proxy, others must tell.
    const refused = new Set(crossed.map(({ call }) => call))
    const attacks = day.sent.filter(({ attack, call }) => attack && !refused.has(call))
    expect(attacks.length).toBeGreaterThan(50)
    expect(attacks.filter(wasRefused)).toEqual([])
    return crossed
  }

  /** A replica does what it always did, and what it should not; a job has a new task. */
  async function ask(): Promise<void> {
    const context = { item: 0, situation: 'asks', attack: false, user: '' }
    const from = (id: string) => ({ kind: 'sidecar', from: id }) as const
    await mesh.caller.tcp('shop/catalog-v2', 'items', context)
    await mesh.caller.http({
      door: from('shop/catalog-v2'),
      callee: 'risk/fraud',
      method: 'GET',
      path: '/summary',
      context,
    })
    const task = { callee: 'shop/catalog-v1', method: 'GET', path: '/items/export' }
    await mesh.caller.http({ door: from('ops/reports'), ...task, context })
  }

  /** Attacks that no permission covers, where a proxy stands. */
  function crossing({ sent }: Day): Sent[] {
    const permissions = permissionsOf(learned)
    return sent.filter(
      (call) => call.attack && call.situation !== 'plaintext-bypass' && !permissions.has(permissionOf(call)),
    )
  }

  /** What the Envoys of callees told of calls to these. */
  async function inbound(): Promise<{ workload: Workload; lines: Line[] }[]> {
    const isInbound = ({ upstream_cluster: cluster }: Line) => cluster?.startsWith('inbound|')
    return await Promise.all(
      CALLEES.map(async (id) => {
        const lines = await told(mesh, id)
        return { workload: workloadOf(id), lines: id === EGRESS ? lines : lines.filter(isInbound) }
      }),
    )
  }
})

const isTcp = (id: string) => workloadOf(id).ports.some(({ protocol }) => protocol === 'tcp')

/** Where a listener reads no HTTP, istiod puts the rules that say nothing of it into the filter for connections. */
const ofConnections = ({ typed_config }: Json): Json => {
  const type = `${TYPE}.filters.network.rbac.v3.RBAC`
  return { typed_config: { ...(typed_config as Json), '@type': type, stat_prefix: 'tcp.' } }
}

const sum = (calls: readonly ReplayCall[]) => calls.reduce((total, { requests }) => total + requests, 0)

const reportIn = (files: readonly PolicyFile[]) =>
  JSON.parse(files.find(({ path }) => path === 'report.json')?.content ?? '{}') as Report

/** What was granted, as `permissionsOf` writes it. */
const granted = ({ permissions }: Report) =>
  new Set(
    permissions.map(({ caller, callee, operation }) => {
      const path = operation.path.replaceAll('{int}', '{id}')
      return `${caller.principal} ${callee.namespace}/${callee.workload} ${operation.method} ${path}`
    }),
  )

const windowOf = (days: readonly Day[]) => [
  ...(days[0]?.window.slice(0, 2) ?? []),
  ...(days.at(-1)?.window.slice(2) ?? []),
]

/** What the shadow rules said, in an access log's line. */
const shadowOf = ({ rbac, network_rbac }: Line) =>
  rbac?.['cinch_dry_run_shadow_engine_result'] ?? network_rbac?.['cinch_dry_run_shadow_engine_result']

/** A call as replay tells it, and as a line does: caller, callee, method and path. Versions of the catalog are one. */
const callText = ({ source, destination, method, path }: ReplayCall) =>
  `${source.startsWith('address:') ? 'nobody' : source} ${applicationOf(destination)} ${method} ${path}`
const lineText = (workload: Workload, { source_principal, method, path }: Line) => {
  const who = source_principal?.slice('spiffe://'.length) ?? 'nobody'
  const shape = (path ?? '').split('?')[0]?.replaceAll(/\/\d+/g, '/{int}')
  return `${who} ${applicationOf(workload.id)} ${method ?? ''} ${shape}`
}

function countsOf(calls: readonly (readonly [string, number])[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const [text, requests] of calls) counts.set(text, (counts.get(text) ?? 0) + requests)
  return new Map([...counts].sort())
}

/** Its owner's word for exactly the call that was shown. */
const wordFor = (callee: string, { source, workload_port, method, path }: RefusedCall) => ({
  ...{ id: 'reports', kind: 'regular', caller: source, callee, port: workload_port, method, path },
  ...{ owner: teamOf(callee), reason: 'a new report', expires: '2099-01-01T00:00:00Z' },
})
