import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { replay } from '../../policy-gen/replay/replay.ts'
import { readAssumed } from '../../policy-gen/report.ts'
import type { PolicyFile } from '../../policy-gen/targets/target.ts'
import { readFiles } from '../../services/cli/policy-files.ts'
import type { PolicyDiff } from '../../services/model/diff.ts'
import type { Graph } from '../../services/model/graph.ts'
import { EMPTY_INVENTORY } from '../../services/model/inventory.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import type { Preflight } from '../../services/model/preflight.ts'
import type { ReplayResult } from '../../services/model/replay.ts'
import { required, SHARED_DATA } from '../requirements.ts'
import { type Ran, runCli, scratch } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'
import { operationsOfSpans, type TruthCall } from '../support/trace-truth.ts'

const TRACES = join(SHARED_DATA, 'trainticket/traces.otlp.jsonl.gz')
const PRINCIPAL = 'cluster.local/ns/{namespace}/sa/{workload}'
const NAMING = ['--evidence', 'claimed', '--principal', PRINCIPAL, '--selector', 'app={workload}']
const absent = !existsSync(TRACES) && !required('CINCH_REQUIRE_DATA')

/** The operation that a caller in another namespace, or an unobserved one, would be: evidence as the file's own. */
function asObserved(call: TruthCall): ObservedOperation {
  const party = (workload: string) => ({
    id: `train-ticket/${workload}`,
    principal: '',
    namespace: 'train-ticket',
    workload,
    cluster: '',
  })
  return {
    source: { ...party(call.source), evidence: 'claimed' },
    destination: { ...party(call.destination), service: '' },
    servicePort: 0,
    workloadPort: 0,
    protocol: 'http',
    method: call.method,
    path: call.path,
    pathFlags: [],
    mtls: 'unknown',
    reporter: 'span',
    requests: call.requests,
    denied: 0,
    firstSeen: '2023-01-29T08:43:00Z',
    lastSeen: '2023-01-29T09:44:00Z',
    days: 1,
  }
}

describe.skipIf(absent)('TrainTicket, from the file to the policies', () => {
  const room = scratch('trainticket')
  const store = newStore(room.path('store'))
  const out = room.path('policies')
  let truth: TruthCall[]
  let ingested: Ran
  let graph: Graph
  let generated: Ran
  let files: PolicyFile[]

  beforeAll(async () => {
    truth = operationsOfSpans(gunzipSync(readFileSync(TRACES)).toString('utf8'))
    ingested = await runCli(['ingest', '--source', 'otlp-traces', '--json', TRACES], { store })
    graph = (await runCli(['graph', '--json'], { store })).json<Graph>()
    generated = await runCli(['policies', 'generate', '--target', 'istio', '--out', out, ...NAMING], { store })
    files = readFiles(out)
  })
  afterAll(() => room.close())

  const decide = (operations: ObservedOperation[]) =>
    replay(files, operations, { inventory: EMPTY_INVENTORY, assumed: readAssumed(files), window: graph.window })

  test('the truth itself is what is known of the recording', () => {
    expect(truth.reduce((sum, call) => sum + call.requests, 0)).toBe(18_574)
    expect(new Set(truth.map((call) => `${call.source} ${call.destination}`)).size).toBe(55)
    expect(truth).toHaveLength(68)
  })

  test('ingest loads all spans', () => {
    expect(ingested.code).toBe(0)
    const { read, accepted, rejected, bytes, seconds } = ingested.json<Record<string, number>>()
    expect({ read, accepted, rejected }).toEqual({ read: 120_890, accepted: 120_890, rejected: 0 })
    expect(bytes).toBe(gunzipSync(readFileSync(TRACES)).length)
    expect(seconds).toBeGreaterThan(0)
  })

  test('graph shows the calls that are in the spans, no more and no fewer', () => {
    const shown = graph.edges.flatMap((edge) =>
      edge.operations.map(({ method, path, requests, denied }) => ({
        source: edge.source,
        destination: edge.destination,
        method,
        path,
        requests,
        denied,
      })),
    )
    const expected = truth.map((call) => ({
      ...call,
      source: `train-ticket/${call.source}`,
      destination: `train-ticket/${call.destination}`,
      denied: 0,
    }))
    const order = (calls: object[]) => calls.map((call) => JSON.stringify(call, Object.keys(call).sort())).sort()
    expect(order(shown)).toEqual(order(expected))
    for (const edge of graph.edges)
      expect(edge.requests).toBe(edge.operations.reduce((sum, { requests }) => sum + requests, 0))
    expect(new Set(graph.edges.map((edge) => edge.evidence))).toEqual(new Set(['claimed']))
    const ends = new Set(graph.edges.flatMap((edge) => [edge.source, edge.destination]))
    const alone = new Set(graph.unattributed.map((entry) => entry.destination))
    expect(new Set(graph.nodes.map((node) => node.id))).toEqual(new Set([...ends, ...alone]))
  })

  test('the same file again adds nothing', async () => {
    const again = await runCli(['ingest', '--source', 'otlp-traces', '--json', TRACES], { store })
    expect(again.json()).toMatchObject({ read: 0, accepted: 0, rejected: 0 })
    expect((await runCli(['graph', '--json'], { store })).json()).toEqual(graph)
  })

  test('policies say what they assumed', () => {
    expect(generated.code).toBe(0)
    expect(generated.stdout).toContain('68 permissions')
    expect(generated.stdout).toContain(`ASSUMED: callers known by a claimed name have the principal ${PRINCIPAL}`)
    expect(generated.stdout).toContain('ASSUMED: callees that no inventory knows have the labels app={workload}')
  })

  test('a reported route /* is no matcher in any file', () => {
    const yaml = files.filter((file) => file.path.endsWith('.yaml'))
    expect(yaml.length).toBeGreaterThan(50)
    for (const { path, content } of yaml) expect({ path, match: content.match(/\/\*/) }).toEqual({ path, match: null })
  })

  test('replay allows every observed call', async () => {
    const replayed = await runCli(['policies', 'replay', out, '--json'], { store })
    const { requests, still_allowed, newly_denied, newly_allowed, uncertain } = replayed.json<ReplayResult>()
    expect({ requests, still_allowed, newly_denied, newly_allowed, uncertain }).toEqual({
      requests: 18_574,
      still_allowed: 18_574,
      newly_denied: [],
      newly_allowed: [],
      uncertain: [],
    })
    expect(replayed.code).toBe(0)
  })

  test('and nothing that was not observed', () => {
    const [call] = truth.filter(({ path }) => !path.includes('{'))
    if (!call) throw new Error('no operation without a parameter')
    const known = new Set(truth.map(({ source, destination }) => `${source} ${destination}`))
    const callers = [...new Set(truth.map(({ source }) => source))]
    const stranger = callers.find(
      (caller) => caller !== call.destination && !known.has(`${caller} ${call.destination}`),
    )
    const variants = [
      { ...call, method: 'TRACE' },
      { ...call, path: `${call.path}/more` },
      { ...call, path: `${call.path}/` },
      { ...call, path: '/' },
      { ...call, source: stranger ?? '' },
      { ...call, source: 'ts-nobody-service' },
    ].map(asObserved)
    const elsewhere = asObserved(call)
    elsewhere.source.namespace = 'other'
    expect(decide([asObserved(call)]).still_allowed).toBe(call.requests)
    for (const variant of [...variants, elsewhere]) {
      const { still_allowed, newly_denied, uncertain } = decide([variant])
      expect({ variant, still_allowed, denied: newly_denied.length, uncertain }).toEqual({
        variant,
        still_allowed: 0,
        denied: 1,
        uncertain: [],
      })
    }
  })

  test('every pair that was not observed is denied', () => {
    const known = new Set(truth.map(({ source, destination }) => `${source} ${destination}`))
    const callers = new Set(truth.map(({ source }) => source))
    const unobserved = truth.flatMap((call) =>
      [...callers]
        .filter((source) => !known.has(`${source} ${call.destination}`))
        .map((source) => ({ ...call, source })),
    )
    expect(unobserved.length).toBeGreaterThan(500)
    const result = decide(unobserved.map(asObserved))
    expect(result.newly_denied).toHaveLength(unobserved.length)
  })

  test('diff finds nothing to grant or revoke in what was made of the same window', async () => {
    const compared = await runCli(['policies', 'diff', out, '--json'], { store })
    const { grant, revoke, restrict, shadowed, kept, requests } = compared.json<PolicyDiff>()
    expect({ grant, revoke, restrict, shadowed }).toEqual({ grant: [], revoke: [], restrict: [], shadowed: [] })
    expect(requests).toBe(18_574)
    expect(kept).toBeGreaterThan(0)
    expect(compared.code).toBe(0)
    const text = await runCli(['policies', 'diff', out], { store })
    expect(text.stdout).toContain(`grant 0, revoke 0, restrict 0, shadowed 0, as it should be ${kept}`)
  })

  test('preflight knows what it looked for, and finds none of it', async () => {
    const checked = await runCli(['policies', 'preflight', out, '--json'], { store })
    expect(checked.json<Preflight>().findings).toEqual([])
    expect(checked.code).toBe(0)
    const text = await runCli(['policies', 'preflight', out], { store })
    expect(text.stdout).toMatch(/^0 found\n\nlooked for, and not found:\n {2}an ALLOW policy without a selector/)
  })

  test('a removed policy is seen by replay, with exit status 1', async () => {
    const broken = room.path('broken')
    await runCli(['policies', 'generate', '--out', broken, ...NAMING], { store })
    rmSync(join(broken, '1-allow/train-ticket.ts-order-service.yaml'))
    const lost = truth
      .filter(({ destination }) => destination === 'ts-order-service')
      .reduce((sum, { requests }) => sum + requests, 0)
    const replayed = await runCli(['policies', 'replay', broken, '--json'], { store })
    const { newly_denied, still_allowed } = replayed.json<ReplayResult>()
    expect(newly_denied.reduce((sum, { requests }) => sum + requests, 0)).toBe(lost)
    expect(still_allowed).toBe(18_574 - lost)
    expect(replayed.code).toBe(1)
  })

  test.each([
    ['no naming rules', ['--evidence', 'claimed'], 'no inventory gives the labels'],
    ['no rule for callers', ['--evidence', 'claimed', '--selector', 'app={workload}'], '--principal'],
    ['the default evidence', ['--principal', PRINCIPAL, '--selector', 'app={workload}'], 'joined is asked for'],
  ])('%s: no permission, and the reasons', async (name, options, reason) => {
    const dir = room.path(name.replaceAll(' ', '-'))
    const ran = await runCli(['policies', 'generate', '--json', '--out', dir, ...options], { store })
    const { report } = ran.json<{
      report: { permissions: unknown[]; skipped: { reason: string; requests: number }[] }
    }>()
    expect(report.permissions).toEqual([])
    expect(report.skipped.reduce((sum, { requests }) => sum + requests, 0)).toBe(18_574)
    for (const skipped of report.skipped) expect(skipped.reason).toContain(reason)
    expect(readFiles(dir).filter((file) => file.path.endsWith('.yaml'))).toEqual([])
  })
})
