import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { PLANT_NOTES, STANDING_NOTES } from './planted.ts'
import { shopObjects, shopPolicies, shopScenario, type Truth, toYaml } from './shop.ts'

// biome-ignore lint/suspicious/noExplicitAny: lines and objects are read as an outsider would, without our types
type Loose = any

const lines: Loose[] = []
const truth = read()
const plant = (id: string) => [...truth.problems, ...truth.distractors].find((entry) => entry.id === id)!

function read(): Truth {
  const batches = shopScenario({ seed: 3, end: new Date('2026-11-08T00:00:00Z'), days: 14, requests: 15_000 })
  let step = batches.next()
  for (; !step.done; step = batches.next())
    for (const line of step.value.bytes.toString('utf8').trimEnd().split('\n')) lines.push(JSON.parse(line))
  return step.value
}

const from = (account: string) => (line: Loose) => line.source_principal?.endsWith(`/sa/${account}`)
const inbound = lines.filter(
  (line) => line.requested_server_name !== null || line.upstream_cluster?.startsWith('inbound'),
)

describe('planted problems', () => {
  it('each has evidence in the window, or stands in the objects', () => {
    for (const note of PLANT_NOTES) expect(plant(note.id).requests + plant(note.id).denied, note.id).toBeGreaterThan(0)
    for (const note of STANDING_NOTES) expect(plant(note.id).operations).toEqual([])
    expect(truth.problems.length).toBeGreaterThanOrEqual(7)
    expect(truth.distractors.length).toBeGreaterThanOrEqual(5)
  })

  it('leaky batch: twice a night, by the price export only', () => {
    const calls = inbound.filter((line) => line.path.startsWith('/accounts/export/emails'))
    expect(calls.length).toBe(plant('leaky-batch').requests)
    expect(calls.length).toBe(28)
    expect(calls.every(from('price-export-sa'))).toBe(true)
  })

  it('plaintext caller: no identity, from the address of a pod that the objects name', () => {
    const calls = inbound.filter((line) => line.path.startsWith('/stock-levels/'))
    expect(calls.length).toBe(plant('plaintext-caller').requests)
    const erp = shopObjects('east', { pods: true }).find(
      ({ kind, metadata }) => kind === 'Pod' && (metadata as Loose).namespace === 'legacy',
    )!
    for (const line of calls) {
      expect([line.source_principal, line.tls_version, line.requested_server_name]).toEqual([null, null, null])
      expect(line.downstream_direct_remote_address.split(':')[0]).toBe((erp as Loose).status.podIP)
    }
  })

  it('denied callers: 403, or gRPC status 7 under HTTP 200; nothing else is refused', () => {
    const refused = inbound.filter((line) => line.response_code_details === 'rbac_access_denied_matched_policy[none]')
    expect(refused.length).toBe(plant('denied-caller').denied + plant('denied-grpc').denied)
    expect(new Set(refused.map((line) => `${line.response_code} ${line.grpc_status}`))).toEqual(
      new Set(['403 null', '200 PermissionDenied']),
    )
    expect(truth.calls.reduce((sum, { denied }) => sum + denied, 0)).toBe(refused.length)
  })

  it('enumeration: consecutive ids within 20 minutes, on an operation that is otherwise ordinary', () => {
    const { first_seen, last_seen, requests } = plant('id-enumeration')
    const calls = inbound.filter(
      (line) =>
        /^\/accounts\/\d+\/segments$/.test(line.path) && line.start_time >= first_seen && line.start_time <= last_seen,
    )
    const ids = new Set(calls.map((line) => Number(line.path.split('/')[2])))
    const consecutive = [...ids].filter((id) => ids.has(id + 1)).length
    expect(consecutive).toBeGreaterThanOrEqual(requests - 1)
    expect(Date.parse(last_seen) - Date.parse(first_seen)).toBeLessThan(20 * 60_000)
    expect(calls.filter((line) => line.response_code === 404).length).toBeGreaterThan(100)
    expect(inbound.filter((line) => /\/segments$/.test(line.path)).length).toBeGreaterThan(requests)
  })

  it('egress: most through the gateway, one workload around it', () => {
    const around = lines.filter((line) => line.upstream_cluster === 'PassthroughCluster')
    expect(around.length).toBe(plant('egress-bypass').requests)
    expect(new Set(around.map((line) => line.authority))).toEqual(new Set(['api.sms.example.org']))
    expect(lines.some((line) => line.upstream_cluster === 'outbound|443||api.psp.example.net')).toBe(true)
  })
})

describe('distractors', () => {
  it('failover crosses the clusters, eight times', () => {
    const crossing = truth.calls.filter(
      ({ source, destination }) =>
        source.workload === 'checkout' && destination.workload === 'payments' && source.cluster !== destination.cluster,
    )
    expect(crossing.map(({ requests }) => requests)).toEqual([8])
  })

  it('the canary is nowhere before its release', () => {
    const canary = truth.calls.filter(({ source, destination }) =>
      [source.workload, destination.workload].includes('orders-v2'),
    )
    expect(canary.length).toBeGreaterThan(3)
    for (const call of canary) expect(call.first_seen >= truth.calendar.canary_since).toBe(true)
  })

  it('an application’s 403 is no denial', () => {
    const own = inbound.filter((line) => line.response_code === 403 && line.response_code_details === 'via_upstream')
    expect(own.length).toBeGreaterThan(0)
    expect(plant('application-403')).toMatchObject({ requests: 126, denied: 0 })
  })
})

describe('the objects', () => {
  const objects = parseAllDocuments(toYaml(shopObjects('east'))).map((document) => document.toJS() as Loose)
  const ofKind = (...kinds: string[]) => objects.filter(({ kind }) => kinds.includes(kind as string))

  it('name every workload of the cluster, with labels, account and owner', () => {
    const names = new Set(
      ofKind('Deployment', 'StatefulSet', 'CronJob').map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
    )
    expect(names.size).toBeGreaterThanOrEqual(50)
    for (const { source, destination } of truth.calls)
      for (const party of [source, destination])
        if (party.kind === 'workload' && party.cluster === 'east')
          expect(names).toContain(`${party.namespace}/${party.workload}`)
    for (const { metadata } of ofKind('Deployment')) expect(metadata.labels.owner).toMatch(/^team-/)
  })

  it('have services that select pods, and ports that resolve', () => {
    const workloads = ofKind('Deployment', 'StatefulSet')
    for (const { metadata, spec } of ofKind('Service')) {
      const behind = workloads.filter(
        (workload) =>
          workload.metadata.namespace === metadata.namespace &&
          workload.spec.template.metadata.labels.app === spec.selector.app,
      )
      expect(behind.length, metadata.name).toBe(metadata.name === 'orders' ? 2 : 1)
      for (const { targetPort } of spec.ports)
        expect(
          behind[0]!.spec.template.spec.containers[0].ports.some(
            (port: Loose) => port.name === targetPort || port.containerPort === targetPort,
          ),
        ).toBe(true)
    }
  })

  it('contain policies that allow every served call to payments and none of the refused', () => {
    for (const call of truth.calls.filter(({ destination }) => destination.namespace === 'payments')) {
      const policy = shopPolicies().find(
        ({ metadata }) => (metadata as Loose).name === `${call.destination.workload}-callers`,
      )!
      const principals: string[] = (policy as Loose).spec.rules[0].from[0].source.principals
      expect(principals.includes(call.source.principal)).toBe(call.denied === 0)
    }
  })
})
