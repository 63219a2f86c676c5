import type { GraphNode } from '../../model/graph.ts'
import type { Inventory } from '../../model/inventory.ts'
import { readInventory } from '../../store/queries/inventory.ts'
import {
  EDGES_AT_ONCE,
  type EdgeEnds,
  edgeIds,
  edgesAfter,
  edgesById,
  joinedEdgesAfter,
  namingState,
} from '../../store/queries/known-edges.ts'
import { type AskedUsage, edgeRows, edgeUsage, type UsageRow, type Window } from '../../store/queries/rollups.ts'
import { toldIn } from '../../store/queries/told.ts'
import type { Store } from '../../store/store.ts'
import { type Atlas, createAtlas } from './atlas.ts'
import { createNames, type EndNames, type Names } from './calls.ts'

/** How old names may be; asking whether there is anything new costs some 10 ms. */
const AGE_MS = 500
/** New edges that are read by their ids; of more, all are read anew. */
const NEW_EDGES_MAX = 5_000
/** Edges that are kept in memory, some 1 KB each, and no more than one read gives. */
const BOOK_EDGES_MAX = 1_000_000

/** All edges that are stored, named. */
export interface Book {
  names: Names
  inventory: Inventory
  edges: ReadonlyMap<string, UsageRow>
  atlas: Atlas
}

export interface Books {
  /** Edges that decide what counts around a node: see `Atlas`; undefined where that takes all edges. */
  around(focus: string, depth: number): Promise<string[] | undefined>
  /** The book as of now, with the edges of a window and their usage, of all or of some; times that were not asked for are ''. */
  read(window: Window, asked?: Partial<AskedUsage>): Promise<Book & { rows: UsageRow[] }>
}

/**
 * Keeps in memory what each edge is and what its ends are called: that does not change, so that a graph asks the engine for usage
 * only. Names are made of all that is stored, so that a node has the same one in every window; when callees or objects tell something
 * new of who is who, all are named anew. Whoever is let in can make edges; of a store with too many of them a window is named by what is
 * in it, read whole: slower, and where another window tells who somebody is, that is not known.
 */
export function createBooks(store: Store, edgesMax = BOOK_EDGES_MAX): Books {
  const known = createKnown(store)
  const { edges } = known
  let book: Book | undefined
  let declared: string | undefined
  /** How many different words edges told of who is who, and how many edges that was of: edges only ever get more. */
  let words = 0
  let read = 0
  let askedAt = Number.NEGATIVE_INFINITY
  let opening: Promise<Book | undefined> | undefined

  const refresh = async (): Promise<Book | undefined> => {
    const state = await namingState(store.reads)
    if (state.edges > edgesMax) {
      known.forget()
      book = undefined
      return undefined
    }
    if (edges.size === 0 && state.edges > 0) await known.readAll()
    else if (state.edges !== edges.size) await known.readNew(await edgeIds(store.reads))
    const isGrown = edges.size !== read
    const told = isGrown ? wordsOf(edges.values()) : words
    if (!book || declared !== state.declared || told !== words) {
      const inventory = book && declared === state.declared ? book.inventory : await readInventory(store.reads)
      for (const edge of edges.values()) edge.ends = undefined
      const names = remembering(createNames([...edges.values()], inventory))
      for (const edge of edges.values()) edge.ends = names.endsOf(edge)
      book = { names, inventory, edges, atlas: createAtlas(names, edges) }
      declared = state.declared
      words = told
      read = edges.size
    }
    if (read !== edges.size) {
      for (const edge of edges.values()) edge.ends ??= book.names.endsOf(edge)
      book.atlas.grow()
    }
    read = edges.size
    return book
  }
  const open = async () => {
    const now = performance.now()
    if (book && now - askedAt < AGE_MS) return book
    opening ??= refresh().finally(() => {
      opening = undefined
    })
    const found = await opening
    askedAt = now
    return found
  }
  const readWindow = async (window: Window, { told, ...only }: Partial<AskedUsage> = {}) => {
    const asked: AskedUsage = { told: told ?? (await toldIn(store.reads, window)), ...only }
    // What is new is asked for beside.
    let [opened, usage] = await Promise.all([open(), book && edgeUsage(store.reads, window, asked)])
    if (!opened) return await bookOf(store, window)
    usage ??= await edgeUsage(store.reads, window, asked)
    let rows = usedRows(known.inOrder(), usage)
    if (rows.length < usage.edge.length) {
      // Some came after the book was opened.
      await known.readNew(usage.edge)
      askedAt = Number.NEGATIVE_INFINITY
      opened = await open()
      rows = usedRows(known.inOrder(), usage)
    }
    return opened ? { ...opened, rows } : await bookOf(store, window)
  }
  return { read: readWindow, around: async (focus, depth) => (await open())?.atlas.around(focus, depth) }
}

/** A book of one window. */
async function bookOf(store: Store, window: Window): Promise<Book & { rows: UsageRow[] }> {
  const [rows, inventory] = await Promise.all([edgeRows(store.reads, window), readInventory(store.reads)])
  const edges = new Map(rows.map((row) => [row.edge, row]))
  const names = createNames(rows, inventory)
  return { names, inventory, edges, atlas: createAtlas(names, edges), rows }
}

/** What is known of edges, read as they come. */
function createKnown(store: Store) {
  const edges = new Map<string, NamedRow>()
  const texts = new Map<string, string>()
  let sorted: NamedRow[] = []
  const keep = (columns: EdgeColumns) => {
    for (const [index, id] of columns.edge.entries()) if (!edges.has(id)) edges.set(id, edgeOf(columns, index, texts))
  }
  const readAll = async () => {
    for (const read of [edgesAfter, joinedEdgesAfter])
      for (let after = '', isMore = true; isMore; ) {
        const columns = await read(store.reads, after)
        keep(columns)
        after = columns.edge.at(-1) ?? ''
        isMore = columns.edge.length === EDGES_AT_ONCE
      }
  }
  return {
    edges,
    readAll,
    forget: () => {
      edges.clear()
      texts.clear()
      sorted = []
    },
    readNew: async (ids: readonly string[]) => {
      const unknown = ids.filter((id) => !edges.has(id))
      if (unknown.length > NEW_EDGES_MAX) await readAll()
      else if (unknown.length > 0) for (const columns of await edgesById(store.reads, unknown)) keep(columns)
    },
    inOrder: (): readonly NamedRow[] => {
      if (sorted.length !== edges.size) sorted = [...edges.values()].sort((a, b) => (a.edge < b.edge ? -1 : 1))
      return sorted
    },
  }
}

type Usage = Awaited<ReturnType<typeof edgeUsage>>

/** Known edges with their usage; both are in the order of ids, which is a third of the time of looking up each. */
function usedRows(edges: readonly NamedRow[], usage: Usage): UsageRow[] {
  const rows: UsageRow[] = []
  let at = 0
  for (let index = 0; index < usage.edge.length; index++) {
    const id = usage.edge[index] ?? ''
    let edge = edges[at]
    while (edge && edge.edge < id) edge = edges[++at]
    if (edge?.edge !== id) continue
    rows.push({
      ...edge,
      requests: usage.requests[index] ?? 0,
      denied: usage.denied[index] ?? 0,
      first_seen: usage.first_seen?.[index] ?? '',
      last_seen: usage.last_seen?.[index] ?? '',
      mark: usage.mark[index] ?? 0,
      active: usage.active[index] ?? 0,
    })
  }
  return rows
}

/** What edges tell of who is who: naming depends on nothing else of them. */
function wordsOf(edges: Iterable<UsageRow>): number {
  const words = new Set<string>()
  for (const {
    reporter,
    destination_service,
    destination_principal,
    destination_namespace,
    destination_workload,
  } of edges) {
    words.add(destination_service)
    if (reporter === 'destination')
      words.add([destination_service, destination_principal, destination_namespace, destination_workload].join(' '))
  }
  return words.size
}

/** Names that are worked out once: a copy of a known edge has them with it. */
type NamedRow = UsageRow & { ends?: EndNames | undefined }

function remembering(names: Names): Names {
  const share = createShares()
  return { ...names, endsOf: (row: NamedRow) => row.ends ?? share(names.endsOf(row)) }
}

/** Nodes and keys that are alike are one in memory: two nodes an edge are half a kilobyte, and what is one is quicker to look up. */
function createShares(): (ends: EndNames) => EndNames {
  const texts = new Map<string, string>()
  const nodes = new Map<string, GraphNode>()
  const text = (value: string) => {
    const known = texts.get(value)
    if (known === undefined) texts.set(value, value)
    return known ?? value
  }
  const shared = (node: GraphNode) => {
    const key = JSON.stringify(node)
    const known = nodes.get(key)
    if (known) return known
    const own = { ...node, id: text(node.id) }
    nodes.set(key, own)
    return own
  }
  return ({ source, destination, gateway, caller, callee, behind, pair }) => ({
    source: source && shared(source),
    destination: shared(destination),
    gateway: gateway && shared(gateway),
    caller: text(caller),
    callee: text(callee),
    behind: text(behind),
    pair: text(pair),
  })
}

type EdgeColumns = { [Column in keyof EdgeEnds]: EdgeEnds[Column][] }

/** Texts that are alike are one in memory; written out, for objects that are made alike are quick to read and to copy. */
function edgeOf(columns: EdgeColumns, index: number, texts: Map<string, string>): NamedRow {
  const at = <Column extends keyof EdgeEnds>(column: Column): EdgeEnds[Column] => {
    const value = columns[column][index] as EdgeEnds[Column]
    if (typeof value !== 'string') return value
    const known = texts.get(value)
    if (known === undefined) texts.set(value, value)
    return (known ?? value) as EdgeEnds[Column]
  }
  return {
    edge: columns.edge[index] ?? '',
    cluster: at('cluster'),
    destination_namespace: at('destination_namespace'),
    destination_workload: at('destination_workload'),
    destination_service: at('destination_service'),
    destination_principal: at('destination_principal'),
    destination_address: at('destination_address'),
    destination_kind: at('destination_kind'),
    source_cluster: at('source_cluster'),
    source_namespace: at('source_namespace'),
    source_workload: at('source_workload'),
    source_principal: at('source_principal'),
    source_address: at('source_address'),
    source_evidence: at('source_evidence'),
    source_service: at('source_service'),
    gateway_service: at('gateway_service'),
    reporter: at('reporter'),
    unpaired: at('unpaired'),
    service_port: at('service_port'),
    workload_port: at('workload_port'),
    protocol: at('protocol'),
    mtls: at('mtls'),
    source_format: at('source_format'),
    sender: at('sender'),
    enforcement_point: at('enforcement_point'),
    requests: 0,
    denied: 0,
    first_seen: '',
    last_seen: '',
    mark: 0,
    active: 0,
    ends: undefined,
  }
}
