import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createNames } from '../../../services/analyzer/graph/calls.ts'
import { buildGraph } from '../../../services/analyzer/graph/graph.ts'
import { observe } from '../../../services/analyzer/graph/observed.ts'
import type { Graph, GraphEdge } from '../../../services/model/graph.ts'
import { readInventory } from '../../../services/store/queries/inventory.ts'
import {
  edgeHours,
  edgeRows,
  operationRows,
  storedWindow,
  type UsageRow,
} from '../../../services/store/queries/rollups.ts'
import { required } from '../../requirements.ts'
import { kafkaClassPath } from '../kafka/setup.ts'
import { labBinary } from '../setup.ts'
import { templateOf } from './applications.ts'
import { FORGED } from './attacks.ts'
import { type FiveWays, receiveFiveWays, WAYS, type Way } from './five-ways.ts'
import { isReceived, isSent, type TruthEdge, type TruthRecord, truthGraph } from './truth.ts'
import { EGRESS, hasEnvoy, INGRESS, TRANSIT, workloadOf } from './world.ts'

const START_DEADLINE_MS = 180_000

/*
 * One run of the mesh comes to Cinch in five ways at once, by real senders to real ports: files that are followed, Envoy's access
 * log service, OpenTelemetry logs and traces, and the files' lines through Kafka. The graph is compared with what applications
 * and driver wrote down, edge by edge and operation by operation.
 */
const isSetUp = labBinary() && kafkaClassPath()
describe.skipIf(!isSetUp && !required('CINCH_REQUIRE_LAB'))('the mesh in five ways at once', () => {
  let ways: FiveWays
  let truth: TruthEdge[]

  beforeAll(async () => {
    ways = await receiveFiveWays({ seed: 20_261_129, scale: 2 })
    truth = truthGraph(ways.mesh.truth.records.filter(isVisible).map(afterRewriting))
  }, START_DEADLINE_MS)
  afterAll(async () => await ways?.close(), 60_000)

  test('went as planned, and every way brought what it tells', async () => {
    expect(ways.driven.surprises).toEqual([])
    expect(ways.faults).toEqual([])
    const counts = await ways.rows<{ source_format: string; way: string; lines: number }>(
      `SELECT source_format, splitByChar('-', sender)[1] AS way, count() AS lines FROM request WHERE stage = 'end' AND enforcement_point != 'transit' GROUP BY ALL`,
    )
    const lines = new Map(counts.map((row) => [`${row.source_format} ${row.way}`, row.lines]))
    const [all] = lines.values()
    expect(all).toBeGreaterThan(600)
    for (const { source_format, sender, name } of WAYS.filter(({ name }) => name !== 'otlp-traces'))
      expect(lines.get(`${source_format} ${sender}`), name).toBe(all)
    expect(await ways.rows('SELECT reason, line FROM rejected_line')).toEqual([])
  })

  test('is one graph: the calls of the truth, each counted once, with the strongest evidence of those who told', async () => {
    const { graph, edges } = { graph: await ways.cinch.graph({}), edges: await ways.cinch.edges({}) }
    expect(truth.length).toBeGreaterThan(35)
    const expected = truth.map((edge) => ({ ...edge, ...namesOf(edge), evidence: evidenceOf(edge) }))
    expect(countsOf(graph.edges)).toEqual(countsOf(expected))
    expect(countsOf(edges.edges)).toEqual(countsOf(expected))
    expect(graph.unattributed).toEqual([])
  })

  test('around each node is what the whole graph has there, whoever told of it', async () => {
    const { nodes, edges } = await ways.cinch.edges({})
    const view = { limit: 150, by: 'namespace' as const, expand: new Set<string>(), depth: 1, hide: [] }
    const whole = await ways.cinch.screen({}, view)
    expect(countsOf(whole.edges)).toEqual(countsOf(edges))
    for (const { id } of nodes) {
      const around = await ways.cinch.screen({}, { ...view, focus: id })
      const told = edges.filter(({ source, destination }) => source === id || destination === id)
      expect(countsOf(around.edges), id).toEqual(countsOf(told))
    }
  })

  test('is one graph of operations', async () => {
    const graph = await ways.cinch.graph({})
    const told = graph.edges.filter(({ protocol }) => protocol !== 'tcp').flatMap(operationsOf)
    const real = truth
      .filter(({ protocol }) => protocol !== 'tcp')
      .flatMap((edge) => edge.operations.map((entry) => ({ ...edge, ...namesOf(edge), ...entry, evidence: '' })))
    const key = (edge: { method: string; template: string }) => ` ${edge.method} ${edge.template}`
    expect(countsOf(told, key)).toEqual(countsOf(real, key))
  })

  test('believes no forgery: no caller, no path and no evidence is a forger’s', async () => {
    const { nodes, edges } = await ways.cinch.graph({})
    const text = JSON.stringify({ nodes, edges })
    for (const value of [FORGED.address, FORGED.path, FORGED.principal]) expect(text).not.toContain(value)
    // The same request id and trace at three callees, and four ways: three calls.
    const forged = ways.mesh.truth.records.filter(isReceived).filter(({ situation }) => situation === 'forged-inside')
    expect(forged).toHaveLength(3)
    const users = await ways.rows<{ address: string }>(
      `SELECT DISTINCT replaceOne(toString(client_address), '::ffff:', '') AS address FROM request
       WHERE reporter = 'gateway' AND source_principal = '' AND stage = 'end' ORDER BY address`,
    )
    const clients = ways.mesh.truth.records.filter(isSent).filter(({ caller }) => caller.startsWith('client:'))
    const addresses = [...new Set(clients.map(({ caller }) => caller.slice('client:'.length)))].sort()
    expect(users.map(({ address }) => address)).toEqual(addresses)
  })

  test('the transit gateway is no party: its connections are the callers’', async () => {
    const { nodes } = await ways.cinch.graph({})
    const address = `address:${ways.mesh.addresses.pod(TRANSIT)}`
    expect(nodes.filter(({ id }) => id === TRANSIT || id === address)).toEqual([])
  })

  describe('each way alone', () => {
    test.each(WAYS.map((way) => [way.name, way] as const))(
      '%s: the truth, but for what it cannot tell',
      async (_, way) => {
        const graph = await graphOf(way)
        const { edge: limit } = CANNOT_TELL[way.name]
        const expected = truth.flatMap((edge) => limit({ ...edge, ...namesOf(edge), evidence: evidenceOf(edge) }))
        expect(countsOf(graph.edges)).toEqual(countsOf(expected))
      },
    )
  })

  /** The graph of what one way told. */
  async function graphOf(way: Way): Promise<Graph> {
    const window = (await storedWindow(ways.store.reads)) ?? { since: '', until: '' }
    const inWay = ({ source_format, sender }: UsageRow) =>
      source_format === way.source_format && (sender === '' || sender.startsWith(way.sender))
    const rows = (await edgeRows(ways.store.reads, window)).filter(inWay)
    const inventory = await readInventory(ways.store.reads)
    const observed = await observe(rows, createNames(rows, inventory), (edges) =>
      edgeHours(ways.store.reads, window, edges),
    )
    return buildGraph(window, observed.operations((await operationRows(ways.store.reads, window)).filter(inWay)))
  }

  interface Expected extends Counted {
    evidence: string
  }

  /** What cannot be told, with the reason, and what is told in its place. */
  const CANNOT_TELL: Record<Way['name'], { reasons: string[]; edge: (edge: Expected) => Expected[] }> = {
    file: { reasons: FILE_LIMITS, edge: (edge) => [ofFiles(edge)] },
    kafka: { reasons: FILE_LIMITS, edge: (edge) => [ofFiles(edge)] },
    als: { reasons: [], edge: (edge) => [edge] },
    'otlp-logs': { reasons: [], edge: (edge) => [edge] },
    'otlp-traces': {
      reasons: [
        'TCP has no spans',
        'a refusal: the span of a refused request has a status, which may be the application’s own',
        'a caller without a proxy of the mesh (users, newcomers, plain text): its request is a root, and counted as such',
        'a callee without a proxy of the mesh: nobody tells of its side',
        'a gateway as the callee of a proxy: it has one span for both of its sides, and that is a client’s',
        'gRPC: the spans of Envoy name a method and a URL only',
        'who called: names are the proxies’ own word',
      ],
      edge: (edge) =>
        edge.protocol === 'tcp' || edge.destination === EGRESS || ![edge.source, edge.destination].every(isProxied)
          ? []
          : [{ ...edge, protocol: 'http', requests: edge.requests + edge.denied, denied: 0, evidence: 'claimed' }],
    },
  }

  /** Names as a bare file has them, whose lines do not say which Pod wrote them: whose its addresses are, the other ways tell. */
  function ofFiles(edge: Expected): Expected {
    const address = (id: string) => `address:${ways.mesh.addresses.pod(id)}`
    const { source, destination } = edge
    return source.startsWith('address:') && destination !== INGRESS
      ? { ...edge, destination: address(destination) }
      : edge
  }

  /** Graph names of a truth edge's ends. */
  function namesOf({ source, destination }: TruthEdge): { source: string; destination: string } {
    const callee = isOutside(destination) ? `external:${destination}` : destination
    if (isIdentity(source)) return { source, destination: callee }
    const address = source.startsWith('client:') ? source.slice('client:'.length) : ways.mesh.addresses.pod(source)
    return { source: `address:${address}`, destination: callee }
  }
})

const FILE_LIMITS = ['the callee of plain text: no server name, no certificate, so it is known by its address']

const isOutside = (id: string) => workloadOf(id).role === 'outside'
const isIdentity = (id: string) => !id.startsWith('client:') && (id === 'ops/backup' || workloadOf(id).role !== 'none')
const isProxied = (id: string) => !/^(address|external):/.test(id) && hasEnvoy(workloadOf(id))

/** What goes around a sidecar is in no log at all. */
const isVisible = (record: TruthRecord) => (isSent(record) ? true : !record.bypass)

/** A gateway logs the path after its route's rewriting; what it had before is a header, which a client could have written. */
function afterRewriting(record: TruthRecord): TruthRecord {
  if (!isSent(record) || record.via[0] !== INGRESS || record.refused_by !== '' || record.method === 'OPTIONS')
    return record
  return { ...record, template: record.template.replace(/^\/api\//, '/') }
}

/** The best that any way tells: the callee's proxy sees certificates, a caller's own proxy knows whose it is. */
function evidenceOf({ source, destination }: TruthEdge): string {
  if (destination === EGRESS) return 'verified'
  if (destination === INGRESS || !isIdentity(source)) return 'none'
  return workloadOf(destination).role === 'sidecar' ? 'verified' : 'address'
}

function operationsOf(edge: GraphEdge) {
  const callee = edge.destination.replace('external:', '')
  return edge.operations.map(({ method, path, ...counts }) => {
    const isCut = callee === INGRESS && path.startsWith('/orders')
    const template = isCut
      ? templateOf(INGRESS, method, `/api${path}`).replace(/^\/api/, '')
      : templateOf(callee, method, path)
    return { ...edge, ...counts, evidence: '', method, template }
  })
}

interface Counted {
  source: string
  destination: string
  protocol: string
  evidence: string
  requests: number
  denied: number
}

/** Sums by edge, as text. The catalog's versions share a service account, so that not every way tells them apart. */
function countsOf<T extends Counted>(edges: readonly T[], more: (edge: T) => string = () => ''): string[] {
  const sums = new Map<string, [number, number]>()
  for (const edge of edges) {
    const ends = `${edge.source} ${edge.destination} ${edge.protocol} ${edge.evidence}${more(edge)}`
    const key = ends.replaceAll(/catalog-v[12]/g, 'catalog')
    const [requests, denied] = sums.get(key) ?? [0, 0]
    sums.set(key, [requests + edge.requests, denied + edge.denied])
  }
  return [...sums].map(([key, [requests, denied]]) => `${key} ${requests}/${denied}`).sort()
}
