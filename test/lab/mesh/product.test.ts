import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Graph, GraphEdge } from '../../../services/model/graph.ts'
import { required } from '../../requirements.ts'
import { openProduct, type Product } from '../product.ts'
import { labBinary } from '../setup.ts'
import { templateOf } from './applications.ts'
import { FORGED } from './attacks.ts'
import { drive } from './drive.ts'
import { linesOf, settled } from './logs.ts'
import { type Mesh, startMesh } from './mesh.ts'
import { objectsOf } from './objects.ts'
import { type TruthEdge, truthGraph } from './truth.ts'
import { WORKLOADS, workloadOf } from './world.ts'

/*
 * The Envoys' files in the recommended format, loaded as an operator would, against the truth. Compared exactly: the edges
 * between identities, whose callee has a sidecar. What else differs, and why, is in test/lab/README.md.
 */
describe.skipIf(!labBinary() && !required('CINCH_REQUIRE_LAB'))('the graph of the mesh', () => {
  let dir: string
  let mesh: Mesh
  let product: Product
  let graph: Graph
  let truth: TruthEdge[]

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cinch-mesh-product-'))
    mesh = await startMesh({ dir })
    expect((await drive(mesh, { seed: 4_711, scale: 2 })).surprises).toEqual([])
    await settled(mesh)
    await mesh.stop()
    truth = truthGraph(mesh.truth.records)
    product = await openProduct()
    await product.declare(objectsOf())
    for (const { id, cluster } of WORKLOADS) {
      const path = mesh.envoys.get(id)?.logs.recommended
      if (!path) continue
      const accepted = (await linesOf(path)).length
      expect(await product.load('istio-json', path, cluster), id).toMatchObject({ accepted, rejected: 0 })
    }
    graph = await product.cinch.graph({})
  })
  afterAll(async () => {
    await product?.close()
    await mesh?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  test('has every verified edge with the counts of the truth, and no other', () => {
    const expected = truth.filter(({ source, destination }) => isIdentity(source) && hasSidecar(destination))
    const found = graph.edges.filter(({ reporter, evidence }) => reporter === 'destination' && evidence === 'verified')
    expect(expected.length).toBeGreaterThan(15)
    expect(found.every(({ mtls }) => mtls === 'yes')).toBe(true)
    expect(countsOf(found)).toEqual(countsOf(expected))
  })

  test('has their operations with the counts of the truth', () => {
    const expected = truth.filter(
      ({ source, destination, protocol }) => isIdentity(source) && hasSidecar(destination) && protocol === 'http',
    )
    const found = graph.edges.filter(
      ({ reporter, evidence, protocol }) =>
        reporter === 'destination' && evidence === 'verified' && protocol === 'http',
    )
    const operations = (edge: GraphEdge) =>
      edge.operations.map((entry) => ({
        ...entry,
        template: templateOf(edge.destination, entry.method, entry.path),
      }))
    const told = found.flatMap((edge) => operations(edge).map((entry) => ({ ...edge, ...entry })))
    const real = expected.flatMap((edge) => edge.operations.map((entry) => ({ ...edge, ...entry })))
    const key = (edge: { method: string; template: string }) => ` ${edge.method} ${edge.template}`
    expect(countsOf(told, key)).toEqual(countsOf(real, key))
  })

  test('has plain text by the address that it came from', () => {
    const plain = ['legacy/printer', 'default/debug']
    for (const caller of plain) {
      const real = truth.filter(({ source, destination }) => source === caller && destination.includes('catalog'))
      const requests = real.reduce((sum, edge) => sum + edge.requests, 0)
      const found = graph.edges.filter(
        ({ source, reporter }) => source === `address:${mesh.addresses.pod(caller)}` && reporter === 'destination',
      )
      expect(
        found.reduce((sum, edge) => sum + edge.requests, 0),
        caller,
      ).toBe(requests)
      expect([...new Set(found.map(({ evidence, mtls }) => `${evidence} ${mtls}`))], caller).toEqual(['none no'])
    }
  })

  test('believes no forgery: no node, no path and no evidence is a forger’s', () => {
    const text = JSON.stringify({ nodes: graph.nodes, edges: graph.edges })
    for (const value of [FORGED.address, FORGED.path, FORGED.principal]) expect(text).not.toContain(value)
  })
})

const isIdentity = (id: string) => !id.startsWith('client:') && (id === 'ops/backup' || workloadOf(id).role !== 'none')
const hasSidecar = (id: string) => workloadOf(id).role === 'sidecar'

interface Counted {
  source: string
  destination: string
  protocol: string
  requests: number
  denied: number
}

/** Sums by edge. The catalog's versions share a service account, so that nothing in a log tells them apart. */
function countsOf<T extends Counted>(edges: readonly T[], more: (edge: T) => string = () => ''): string[] {
  const sums = new Map<string, [number, number]>()
  for (const edge of edges) {
    const ends = `${edge.source} ${edge.destination} ${edge.protocol}${more(edge)}`
    const key = ends.replaceAll(/catalog-v[12]/g, 'catalog')
    const [requests, denied] = sums.get(key) ?? [0, 0]
    sums.set(key, [requests + edge.requests, denied + edge.denied])
  }
  return [...sums].map(([key, [requests, denied]]) => `${key} ${requests}/${denied}`).sort()
}
