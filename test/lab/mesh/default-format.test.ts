import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Graph, GraphEdge } from '../../../services/model/graph.ts'
import { required } from '../../requirements.ts'
import { openProduct, type Product } from '../product.ts'
import { labBinary } from '../setup.ts'
import { drive } from './drive.ts'
import { linesOf, settled } from './logs.ts'
import { type Mesh, startMesh } from './mesh.ts'
import { objectsOf } from './objects.ts'
import { podOf, WORKLOADS, workloadOf } from './world.ts'

/*
 * The same run in the recommended format and in Istio's default one, which names no caller: the callers that the one proves, the join
 * finds in the other. The default's lines come as Fluent Bit ships them, with the pod that wrote them, and once more bare.
 */
describe.skipIf(!labBinary() && !required('CINCH_REQUIRE_LAB'))("the mesh in Istio's default format", () => {
  let dir: string
  let mesh: Mesh

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cinch-mesh-default-'))
    mesh = await startMesh({ dir })
    expect((await drive(mesh, { seed: 815, scale: 2 })).surprises).toEqual([])
    await settled(mesh)
    await mesh.stop()
  })
  afterAll(async () => {
    await mesh?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  /** The graph of one format, in a store of its own; `ship` makes of a line what arrives. */
  async function graphOf(format: 'recommended' | 'json' | 'text', ship = (line: string, _workload: string) => line) {
    const product: Product = await openProduct()
    await product.declare(objectsOf())
    for (const { id, cluster } of WORKLOADS) {
      const path = mesh.envoys.get(id)?.logs[format]
      if (!path) continue
      const shipped = join(dir, `${format}-${id.replace('/', '-')}`)
      await writeFile(shipped, `${(await linesOf(path)).map((line) => ship(line, id)).join('\n')}\n`)
      expect(await product.load(format === 'text' ? 'istio-text' : 'istio-json', shipped, cluster), id).toMatchObject({
        rejected: 0,
      })
    }
    return await product.cinch.graph({}).finally(() => product.close())
  }

  const byFluentBit = (log: string, id: string) => {
    const workload = workloadOf(id)
    const kubernetes = { namespace_name: workload.namespace, pod_name: podOf(workload), container_name: 'istio-proxy' }
    return JSON.stringify({ log, kubernetes })
  }

  test('has every proven edge with its counts, and no other that is joined', async () => {
    const proven = countsOf(provenEdges(await graphOf('recommended')))
    expect(proven.size).toBeGreaterThan(15)
    for (const format of ['json', 'text'] as const) {
      const graph = await graphOf(format, byFluentBit)
      const found = graph.edges.filter(({ reporter, evidence }) => reporter === 'destination' && evidence !== 'none')
      expect(differences(proven, countsOf(found)), format).toEqual(EXPECTED)
      expect(evidences(found), format).toEqual(['claimed', 'joined'])
      // The gateway's callees see only the address that it forwards: who it was is a claim.
      const claimed = found.filter(({ evidence }) => evidence === 'claimed').map(({ source }) => source)
      expect([...new Set(claimed)], format).toEqual(['istio-system/istio-ingressgateway'])
    }
  }, 240_000)

  test('names by address what no shipper names, and nobody wrongly', async () => {
    const proven = countsOf(provenEdges(await graphOf('recommended')))
    const found = (await graphOf('json')).edges.filter(
      ({ reporter, evidence }) => reporter === 'destination' && evidence !== 'none',
    )
    expect(found.length).toBeGreaterThan(10)
    expect(evidences(found)).toEqual(['address'])
    const wrong = [...countsOf(found)].filter(([edge, [requests, denied]]) => {
      const [most, mostDenied] = proven.get(edge) ?? [0, 0]
      return requests > most || denied > mostDenied
    })
    expect(wrong).toEqual([])
  }, 240_000)
})

/**
 * What the default format cannot tell, and so is told as unknown: a newcomer has a certificate and no proxy that logs; one call hides its
 * address behind a forged X-Forwarded-For, through a gateway that passes connections on, where not even its request id meets the server.
 */
const EXPECTED = [
  'ops/backup shop/catalog http: 2,0 proven, nothing found',
  'ops/backup shop/orders http: 0,1 proven, nothing found',
  'ops/reports risk/fraud http: 3,0 proven, 2,0 found',
]

const provenEdges = (graph: Graph) =>
  graph.edges.filter(({ reporter, evidence }) => reporter === 'destination' && evidence === 'verified')
const evidences = (edges: readonly GraphEdge[]) => [...new Set(edges.map(({ evidence }) => evidence))].sort()

/** By edge; the default format does not say that a call is gRPC, and the catalog's versions share an account. */
function countsOf(edges: readonly GraphEdge[]): Map<string, [number, number]> {
  const sums = new Map<string, [number, number]>()
  for (const edge of edges) {
    const key = `${edge.source} ${edge.destination} ${edge.protocol.replace('grpc', 'http')}`.replaceAll(
      /catalog-v[12]/g,
      'catalog',
    )
    const [requests, denied] = sums.get(key) ?? [0, 0]
    sums.set(key, [requests + edge.requests, denied + edge.denied])
  }
  return sums
}

function differences(proven: Map<string, [number, number]>, found: Map<string, [number, number]>): string[] {
  return [...new Set([...proven.keys(), ...found.keys()])]
    .filter((key) => `${proven.get(key)}` !== `${found.get(key)}`)
    .map((key) => `${key}: ${proven.get(key) ?? 'nothing'} proven, ${found.get(key) ?? 'nothing'} found`)
    .sort()
}
