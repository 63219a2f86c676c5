import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBooks } from '../../services/analyzer/graph/book.ts'
import { createNames, type Names } from '../../services/analyzer/graph/calls.ts'
import { buildGraph } from '../../services/analyzer/graph/graph.ts'
import { groupedBy, groupGraph } from '../../services/analyzer/graph/group.ts'
import { observe } from '../../services/analyzer/graph/observed.ts'
import { EDGES_MAX, NODES_MAX } from '../../services/analyzer/graph/places.ts'
import { joinCallers } from '../../services/analyzer/identity/join.ts'
import { HURRIED } from '../../services/analyzer/pace.ts'
import { type Cinch, openCinch } from '../../services/api/cinch.ts'
import { createGraphs, type Graphs } from '../../services/api/graphs.ts'
import { inputOf } from '../../services/collector/input/input.ts'
import { type Origin, operator } from '../../services/collector/origin.ts'
import type { Graph, GraphNode, GroupBy, Screen } from '../../services/model/graph.ts'
import { parsePrincipal } from '../../services/model/identity.ts'
import type { Inventory } from '../../services/model/inventory.ts'
import { readInventory } from '../../services/store/queries/inventory.ts'
import { changedMinutes, markJoined } from '../../services/store/queries/join.ts'
import { unnamedRequests } from '../../services/store/queries/join-answers.ts'
import { edgeHours, edgeRows, type UsageRow, type Window } from '../../services/store/queries/rollups.ts'
import { toldIn } from '../../services/store/queries/told.ts'
import { openStore, type Store } from '../../services/store/store.ts'
import { random as seeded } from '../scenarios/random.ts'
import { CLUSTERS, shopObjects, shopScenario, toYaml } from '../scenarios/shop.ts'
import { scratch } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'
import { spanLine } from '../support/telemetry.ts'
import { traffic } from './join-traffic.ts'

/** The graph service against the plain graph, whose rows are read whole and named anew, grouped here without the service's code. */
const room = scratch('screen')
const END = new Date('2026-11-08T00:00:00Z')
const HOUR_MS = 3_600_000
const DAYS = 3
let store: Store
let inventory: Inventory
let names: Names
let all: UsageRow[]
let graphs: Graphs

beforeAll(async () => {
  store = await openStore({ kind: 'chdb', dir: newStore(room.path('store')) })
  const cinch = await openCinch(store, { joinPace: HURRIED, gatherer: { answerWithinMs: 60_000 } })
  for (const cluster of CLUSTERS) {
    const objects = Buffer.from(toYaml(shopObjects(cluster)))
    const bytes = (async function* () {
      yield objects
    })()
    await cinch.ingest('kubernetes-objects', cluster, await inputOf(cluster, bytes, objects.length))
  }
  // Half of the callers' proxies log too, and lines in Istio's default format name no caller. What is sent at once is stored at once.
  const sent: Promise<unknown>[] = []
  const send = (source: string, origin: Origin, bytes: Buffer) => sent.push(cinch.ingestRequest(source, origin, bytes))
  for (const options of [{ bothSides: 0.5 }, { bothSides: 1, format: 'default' as const }]) {
    const scenario = shopScenario({ seed: 5, end: END, days: DAYS, requests: 5_000, ...options })
    for (const { cluster, bytes } of scenario) {
      send('istio-json', operator(cluster), bytes)
      // The same lines, most of them, by another sender; and the first half of them by a third one: channels that tell of the same.
      const lines = bytes.toString().split('\n')
      const told = lines.filter((_, index) => index % 10 !== 0).join('\n')
      const half = lines.slice(0, lines.length / 2).join('\n')
      send('envoy-json', { ...operator(cluster), sender: 'shipper' }, Buffer.from(told))
      send('istio-json', { ...operator(cluster), sender: 'copy' }, Buffer.from(half))
    }
  }
  send('otlp-traces', operator(), Buffer.from(SPANS))
  await Promise.all(sent)
  await cinch.analyze()
  await joinMesh(cinch)
  inventory = await readInventory(store.reads)
  all = await edgeRows(store.reads, { since: '2026-11-01T00:00:00Z', until: '2026-11-09T00:00:00Z' })
  names = createNames(all, inventory)
  graphs = createGraphs(store)
  await cinch.close()
}, 120_000)
afterAll(async () => {
  await store.close()
  room.close()
})

/** A mesh whose callees do not say who called; the shop's minutes are left as they are, for joining three days takes minutes. */
async function joinMesh(cinch: Cinch): Promise<void> {
  await markJoined(store.jobs, await changedMinutes(store.jobs, END.getTime(), DAYS * 24 * 60))
  const lines = traffic(seeded(5, 'mesh'), 300).map(({ text }) => text)
  await cinch.ingestRequest('istio-json', operator(), Buffer.from(lines.join('\n')))
  await joinCallers(store)
}

/** Calls that spans alone tell of, one of them without a parent that ever came, one the root of its trace. */
const at = END.getTime() - 5 * HOUR_MS
const SPANS = [
  spanLine([
    { id: 1, service: 'batch', kind: 'client', at, trace: 1 },
    { id: 2, parent: 1, service: 'ledger-copy', kind: 'server', at: at + 1, trace: 1 },
  ]),
  spanLine([{ id: 3, parent: 9, service: 'ledger-copy', kind: 'server', at, trace: 2 }]),
  spanLine([{ id: 4, service: 'ledger-copy', kind: 'server', at, trace: 3 }]),
].join('\n')

async function expected(window: Window): Promise<Graph> {
  const rows = await edgeRows(store.reads, window)
  const why = await unnamedRequests(store.reads, window)
  return buildGraph(window, await observe(rows, names, (edges) => edgeHours(store.reads, window, edges), why))
}

const workloadOf = (node: GraphNode) =>
  inventory.workloads.find(({ namespace, name }) => node.id === `${namespace}/${name}`)

const KEYS: Record<string, (node: GraphNode) => string> = {
  namespace: (node) => `${node.cluster}/${node.namespace}`,
  cluster: (node) => node.cluster,
  'trust-domain': (node) => parsePrincipal(node.principal)?.trustDomain ?? '',
  owner: (node) => workloadOf(node)?.owner ?? '',
  'label:app': (node) => workloadOf(node)?.labels['app'] ?? '',
}

/** Nodes with the clusters of all that ever told of them: a window of an hour does not show every one, nor every principal. */
function everSeen(): Map<string, GraphNode> {
  const seen = new Map<string, GraphNode>()
  const see = (node: GraphNode | undefined, cluster: string) => {
    if (!node) return
    const known = seen.get(node.id) ?? node
    const clusters = new Set([...known.cluster.split('+'), cluster].filter((name) => name !== ''))
    seen.set(node.id, {
      ...known,
      principal: known.principal || node.principal,
      cluster: [...clusters].sort().join('+'),
    })
  }
  for (const row of all) {
    see(names.parties.source(row), row.source_cluster)
    see(names.parties.destination(row), row.cluster)
    see(names.parties.gateway(row), row.cluster)
  }
  return seen
}

/** Requests and refusals between groups, counted edge by edge; a node that is alone in its group stands for itself. */
function plainly(graph: Graph, nodes: GraphNode[], keyOf: (node: GraphNode) => string): Map<string, string> {
  const groupOf = (node: GraphNode) => {
    if (node.kind === 'external') return 'group:external'
    if (node.kind !== 'address') return `group:${keyOf(node)}`
    const [a, b] = node.name.split('.')
    return `group:network:${a}.${b}.0.0/16`
  }
  const members = new Map<string, number>()
  for (const node of nodes) members.set(groupOf(node), (members.get(groupOf(node)) ?? 0) + 1)
  const placeOf = (id: string) => {
    const node = nodes.find((entry) => entry.id === id)
    if (!node) throw new Error(`no node ${id}`)
    return members.get(groupOf(node)) === 1 ? id : groupOf(node)
  }
  const sums = new Map<string, [number, number]>()
  for (const edge of graph.edges) {
    const [source, destination] = [placeOf(edge.source), placeOf(edge.destination)]
    if (source === destination && source !== edge.source) continue
    const [requests, denied] = sums.get(`${source} ${destination}`) ?? [0, 0]
    sums.set(`${source} ${destination}`, [requests + edge.requests, denied + edge.denied])
  }
  return new Map([...sums].map(([pair, [requests, denied]]) => [pair, `${requests} ${denied}`]))
}

function comparable({ nodes, edges, unattributed, grouping }: Screen) {
  const text = (value: object) => JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
  return {
    nodes: nodes.map(({ id, kind, members }) => `${id} ${kind} ${members}`).sort(),
    edges: edges.map(({ operations: _, reporter: __, ...edge }) => text(edge)).sort(),
    unattributed: unattributed.map(text).sort(),
    grouping: { ...grouping, groups: grouping.groups.toSorted() },
  }
}

describe('a grouped graph has the counts of the plain one', () => {
  const random = seeded(11, 'windows')
  const int = (below: number) => Math.floor(random() * below)
  const cases = Array.from({ length: 40 }, (_, index) => {
    const since = END.getTime() - (1 + int(DAYS * 24)) * HOUR_MS
    const hours = index % 4 === 0 ? DAYS * 24 : 1 + int(40)
    const by = Object.keys(KEYS)[index % 5] as GroupBy
    const window = { since: new Date(since).toISOString(), until: new Date(since + hours * HOUR_MS).toISOString() }
    return { index, window, by, limit: [150, 40, 12, 5][int(4)] ?? 150, expand: int(2) }
  })

  test.each(cases)('%j', async ({ window, by, limit, expand }) => {
    const seen = everSeen()
    const graph = await expected(window)
    const nodes = graph.nodes.map((node) => seen.get(node.id) ?? node)
    const groupOf = groupedBy((node) => KEYS[by]?.(node) ?? '')
    const first = nodes.find((node) => node.kind === 'workload')
    const expanded = new Set(expand === 1 && first ? [groupOf(first)] : [])
    const told = groupGraph({ ...graph, nodes }, limit, expanded, by, groupOf)
    const found = await graphs.screen(window, { by, limit, expand: expanded, depth: 1, hide: [] })
    expect(comparable(found)).toEqual(comparable(told))
  })

  test.each(cases.filter(({ index }) => index % 2 === 0))(
    'grouped in plain JavaScript: $by $window',
    async ({ window, by }) => {
      const graph = await expected(window)
      const seen = everSeen()
      const nodes = graph.nodes.map((node) => seen.get(node.id) ?? node)
      const told = plainly(graph, nodes, (node) => KEYS[by]?.(node) ?? '')
      const found = await graphs.screen(window, {
        by,
        limit: NODES_MAX,
        expand: new Set(['group:none']),
        depth: 1,
        hide: [],
      })
      const sums = new Map<string, [number, number]>()
      for (const edge of found.edges) {
        const [requests, denied] = sums.get(`${edge.source} ${edge.destination}`) ?? [0, 0]
        sums.set(`${edge.source} ${edge.destination}`, [requests + edge.requests, denied + edge.denied])
      }
      expect(new Map([...sums].map(([pair, [requests, denied]]) => [pair, `${requests} ${denied}`]))).toEqual(told)
    },
  )

  test('callers that are hidden take their requests with them, in the whole and around a node', async () => {
    const window = { since: '2026-11-06T05:00:00Z', until: '2026-11-08T00:00:00Z' }
    const hide = ['storefront/web', 'istio-system/istio-ingressgateway']
    const edges = (await expected(window)).edges.filter(({ source }) => !hide.includes(source))
    const sum = (list: { requests: number; denied: number }[]) =>
      list.reduce((all, { requests, denied }) => all + requests + denied, 0)
    const view = { by: 'namespace' as const, limit: NODES_MAX, expand: new Set<string>(), depth: 1, hide }
    const whole = await graphs.screen(window, view)
    expect(whole.grouping.total_edges).toBe(edges.length)
    const focus = 'orders/orders'
    const around = await graphs.screen(window, { ...view, focus })
    expect(sum(around.edges)).toBe(sum(edges.filter((edge) => edge.source === focus || edge.destination === focus)))
  })

  test('what was compared has all there is to choose from', async () => {
    const rows = all
    expect(new Set(rows.map(({ sender }) => sender))).toEqual(new Set(['operator', 'shipper', 'copy', '']))
    expect(new Set(rows.map(({ reporter }) => reporter))).toEqual(new Set(['destination', 'source', 'gateway', 'span']))
    expect(new Set(rows.map(({ unpaired }) => unpaired))).toEqual(new Set(['', 'root', 'unpaired']))
    expect(rows.some((row) => row.reporter === 'source' && row.source_evidence === 'none')).toBe(true)
    expect(rows.some((row) => row.source_evidence === 'joined')).toBe(true)
  })
})

describe('joined calls', () => {
  const window = { since: '2026-11-05T10:00:00Z', until: '2026-11-05T11:00:00Z' }

  test('are in the book with the usage and the names that the rollups give them, and are taken from whom they were counted under', async () => {
    const told = await edgeRows(store.reads, window)
    const { rows: found } = await createBooks(store).read(window)
    const text = ({ ends: _, ...row }: UsageRow & { ends?: unknown }) => JSON.stringify(Object.entries(row).sort())
    expect(found.map(text).sort()).toEqual(told.map(text).sort())
    expect(told.filter(({ source_evidence }) => source_evidence === 'joined').length).toBeGreaterThan(20)
  })

  test('whatever the window holds: whole days or hours of them, joined calls, spans, both or neither', async () => {
    const random = seeded(8, 'windows')
    const hour = (from: number) => from + Math.floor(random() * 24 * (DAYS + 1))
    const first = Date.parse('2026-11-04T12:00:00Z') / HOUR_MS
    const windows = [window, { since: '2026-11-05T00:00:00Z', until: '2026-11-07T00:00:00Z' }]
    while (windows.length < 24) {
      const [a, b] = [hour(first), hour(first)].sort((left, right) => left - right) as [number, number]
      const text = (at: number) => new Date(at * HOUR_MS).toISOString().replace('.000', '')
      windows.push({ since: text(a), until: text(b + (random() < 0.5 ? 1 : 24)) })
    }
    const held = new Set<string>()
    for (const one of windows) {
      const { joined, spans } = await toldIn(store.reads, one)
      held.add(`${joined} ${spans}`)
      const told = await edgeRows(store.reads, one)
      const { rows: found } = await createBooks(store).read(one)
      const text = ({ edge, requests, denied, first_seen, last_seen, mark, active }: UsageRow) =>
        JSON.stringify([edge, requests, denied, first_seen, last_seen, mark, active])
      expect(found.map(text), JSON.stringify(one)).toEqual(told.map(text).sort())
    }
    expect([...held].sort()).toEqual(['false false', 'false true', 'true false', 'true true'])
  }, 60_000)

  test('by their ids alone, too', async () => {
    const told = await edgeRows(store.reads, window)
    const ids = told.map(({ edge }) => edge).filter((_, index) => index % 3 === 0)
    const { rows: found } = await createBooks(store).read(window, { edges: ids })
    const counts = ({ edge, requests, denied }: UsageRow) => `${edge} ${requests} ${denied}`
    expect(found.map(counts).sort()).toEqual(
      told
        .filter(({ edge }) => ids.includes(edge))
        .map(counts)
        .sort(),
    )
  })

  test('and of more edges than memory takes, those of the window are read whole', async () => {
    const books = createBooks(store, all.length - 1)
    const { rows, edges } = await books.read(window)
    const counts = ({ edge, requests, denied }: UsageRow) => `${edge} ${requests} ${denied}`
    expect(rows.map(counts).sort()).toEqual((await edgeRows(store.reads, window)).map(counts).sort())
    expect(edges.size).toBeLessThan(all.length)
    expect(await books.around('core/cart', 1)).toBeUndefined()
    const view = { by: 'namespace' as const, limit: NODES_MAX, expand: new Set<string>(), depth: 1, hide: [] }
    const counted = async (service: Graphs) => (await service.screen(window, { ...view, focus: 'core/cart' })).edges
    const sum = (list: { requests: number }[]) => list.reduce((total, { requests }) => total + requests, 0)
    expect(sum(await counted(createGraphs(store, 10)))).toBe(sum(await counted(graphs)))
  })

  test('are compared by what they did, with the operations of their callers', async () => {
    const later = { since: '2026-11-05T11:00:00Z', until: '2026-11-05T12:00:00Z' }
    const compared = await graphs.compare(window, later, 'namespace')
    const operations = await graphs.operations(window)
    const made = new Set(
      operations.calls.calls.flatMap(({ row, source, destination }) =>
        row.source_evidence === 'joined' ? [`${source.id} ${destination.id} ${row.method} ${row.shape}`] : [],
      ),
    )
    const told = compared.operations.map((row) => `${row.source} ${row.destination} ${row.method} ${row.path}`)
    expect(told.filter((operation) => made.has(operation)).length).toBeGreaterThan(20)
    const now = await graphs.edges(window)
    const mesh = (id: string) => /^(shop|core)\/(web|cart|orders|stock|pay|mail|users|search|ads|audit)$/.test(id)
    const pairs = new Set(
      now.edges.flatMap(({ source, destination }) =>
        mesh(source) && mesh(destination) ? [`${source} ${destination}`] : [],
      ),
    )
    const fresh = compared.operations.filter(({ source, destination }) => mesh(source) && mesh(destination))
    expect(fresh.filter(({ source, destination }) => !pairs.has(`${source} ${destination}`))).toEqual([])
    expect(new Set(fresh.map(({ change }) => change))).toEqual(new Set(['new']))
  })
})

describe('a neighbourhood', () => {
  test.each([
    'orders/orders',
    'istio-system/istio-ingressgateway',
    'data/events',
    'shop/ledger-copy',
    'shop/orders',
    'core/cart',
  ])('of %s is what is within its hops', async (focus) => {
    const window = { since: '2026-11-05T08:00:00Z', until: '2026-11-08T00:00:00Z' }
    const graph = await expected(window)
    let within = new Set([focus])
    for (const depth of [1, 2]) {
      const touches = ({ source, destination }: Graph['edges'][number]) => within.has(source) || within.has(destination)
      const edges = graph.edges.filter(touches)
      const reached = new Set([focus, ...edges.flatMap(({ source, destination }) => [source, destination])])
      const found = await graphs.screen(window, {
        by: 'namespace',
        limit: NODES_MAX,
        expand: new Set(),
        focus,
        depth,
        hide: [],
      })
      expect(found.nodes.map(({ id }) => id).sort()).toEqual([...reached].sort())
      const plain = ({ operations: _, reporter: __, ...edge }: Graph['edges'][number]) =>
        JSON.stringify(Object.entries(edge).sort())
      const told = edges.map(plain)
      expect(found.grouping).toMatchObject({
        total_edges: edges.length,
        shown_edges: Math.min(edges.length, EDGES_MAX),
      })
      expect(found.edges.map(plain).filter((edge) => !told.includes(edge))).toEqual([])
      within = reached
    }
  })

  test('of a node that does not exist is an error that says so', async () => {
    const asked = graphs.screen(
      { since: '2026-11-07T00:00:00Z', until: '2026-11-08T00:00:00Z' },
      {
        by: 'namespace',
        limit: 10,
        expand: new Set(),
        focus: "nobody' OR 1=1",
        depth: 1,
        hide: [],
      },
    )
    await expect(asked).rejects.toMatchObject({ code: 'not_found' })
  })
})
