import { join } from 'node:path'
import { type Generated, type GenerateOptions, generate } from '../../policy-gen/generate.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import { readAssumed } from '../../policy-gen/report.ts'
import { targetById } from '../../policy-gen/targets/index.ts'
import type { PolicyFile } from '../../policy-gen/targets/target.ts'
import { nameCalls } from '../analyzer/graph/calls.ts'
import { buildGraph } from '../analyzer/graph/graph.ts'
import { observedOperations } from '../analyzer/graph/operations.ts'
import { createParties } from '../analyzer/graph/parties.ts'
import { pairSpans } from '../analyzer/spans/pair.ts'
import { type Committer, createCommitter, type Recovery } from '../collector/commit.ts'
import { type IngestResult, ingest, ingestRequest, type Progress } from '../collector/ingest.ts'
import type { Input } from '../collector/input.ts'
import { type Origin, operator } from '../collector/origin.ts'
import { createSenders, type Senders } from '../collector/senders.ts'
import { findSource, SOURCES } from '../collector/sources/index.ts'
import type { Graph } from '../model/graph.ts'
import type { ObservedOperation } from '../model/operation.ts'
import type { ReplayResult } from '../model/replay.ts'
import { migrate } from '../store/migrate.ts'
import { sourceStates } from '../store/queries/batches.ts'
import { readInventory } from '../store/queries/inventory.ts'
import { rejectReasons, rejects } from '../store/queries/rejects.ts'
import { edgeRows, operationRows, storedWindow, type Window } from '../store/queries/rollups.ts'
import type { Store } from '../store/store.ts'
import { type Doctor, examine } from './doctor.ts'
import { type AskedWindow, resolveWindow } from './window.ts'

export type GenerateRequest = { target: string; window: AskedWindow } & Omit<GenerateOptions, 'window'>

/** Everything that Cinch does for its users, the same for the command line and the API. */
export interface Cinch {
  migrated: number[]
  /** What became of chunks that earlier processes left in the spool. */
  recovered: Recovery
  sources(): Promise<SourceListing[]>
  ingest(source: string, cluster: string, input: Input, progress?: Progress): Promise<IngestResult>
  ingestRequest(source: string, origin: Origin, body: Buffer): Promise<IngestResult>
  /** The graph with the operations of every edge. */
  graph(window: AskedWindow): Promise<Graph>
  /** The graph without operations: what a screen asks for first. */
  edges(window: AskedWindow): Promise<Graph>
  operations(window: AskedWindow): Promise<{ window: Window; operations: ObservedOperation[] }>
  generate(request: GenerateRequest): Promise<Generated>
  replay(files: PolicyFile[], window: AskedWindow): Promise<ReplayResult>
  rejects(source: string, limit: number): Promise<RejectListing>
  doctor(source: string): Promise<Doctor>
  /** Brings what is derived up to date with what was loaded. Resolves when it is; calls that overlap share one run. */
  analyze(): Promise<void>
  senders: Senders
}

export interface SourceListing {
  id: string
  aliases: string[]
  title: string
  tells: string
  cannot_tell: string
  facts: number
  rejected: number
  first_seen: string
  last_seen: string
  senders: string[]
}

export interface RejectListing {
  reasons: Awaited<ReturnType<typeof rejectReasons>>
  lines: Awaited<ReturnType<typeof rejects>>
}

/** Brings the store up to date, finishes what an earlier process left, and gives the uses of it. */
export async function openCinch(store: Store): Promise<Cinch> {
  const migrated = await migrate(store)
  const committer = createCommitter(store)
  const recovered = await committer.recover()
  const analyze = sharing(async () => void (await pairSpans(store)))
  await analyze()
  return {
    migrated,
    recovered,
    analyze,
    senders: createSenders(store),
    ...ingestion(store, committer, analyze),
    ...questions(store),
  }
}

function ingestion(
  store: Store,
  committer: Committer,
  analyze: () => Promise<void>,
): Pick<Cinch, 'ingest' | 'ingestRequest'> {
  return {
    ingest: async (source, cluster, input, progress) => {
      const result = await ingest(store, committer, findSource(source), operator(cluster), input, progress)
      await analyze()
      return result
    },
    ingestRequest: async (source, origin, body) =>
      await ingestRequest(store, committer, findSource(source), origin, body),
  }
}

function questions(
  store: Store,
): Omit<Cinch, 'migrated' | 'recovered' | 'analyze' | 'senders' | 'ingest' | 'ingestRequest'> {
  const named = async <Row extends Parameters<typeof nameCalls>[0][number]>(
    asked: AskedWindow,
    rowsOf: (window: Window) => Promise<Row[]>,
  ) => {
    const window = resolveWindow(asked, await storedWindow(store.reads))
    const [rows, inventory] = await Promise.all([rowsOf(window), readInventory(store.reads)])
    return { window, inventory, calls: nameCalls(rows, createParties(rows, inventory)) }
  }
  const operations = async (asked: AskedWindow) => {
    const { window, inventory, calls } = await named(asked, (range) => operationRows(store.reads, range))
    return { window, inventory, operations: observedOperations(calls.calls), calls }
  }
  return {
    sources: async () => listSources(await sourceStates(store.reads)),
    graph: async (asked) => {
      const { window, calls } = await operations(asked)
      return buildGraph(window, calls)
    },
    edges: async (asked) => {
      const { window, calls } = await named(asked, (range) => edgeRows(store.reads, range))
      return buildGraph(window, calls)
    },
    operations: async (asked) => {
      const { window, operations: observed } = await operations(asked)
      return { window, operations: observed }
    },
    generate: async ({ target, window: asked, ...options }) => {
      const { window, inventory, operations: observed } = await operations(asked)
      return generate(observed, inventory, targetById(target), { ...options, window })
    },
    replay: async (files, asked) => {
      const { window, inventory, operations: observed } = await operations(asked)
      return replay(files, observed, { inventory, assumed: readAssumed(files), window })
    },
    rejects: async (source, limit) => {
      const id = source === '' ? '' : findSource(source).id
      return { reasons: await rejectReasons(store.reads, id), lines: await rejects(store.reads, id, limit) }
    },
    doctor: async (source) => await examine(store, source === '' ? '' : findSource(source).id),
  }
}

function listSources(states: Awaited<ReturnType<typeof sourceStates>>): SourceListing[] {
  return SOURCES.map((source) => {
    const own = states.filter((state) => state.source === source.id)
    const seen = own.filter((state) => state.accepted > 0)
    return {
      id: source.id,
      aliases: source.aliases,
      title: source.title,
      tells: source.tells,
      cannot_tell: source.cannotTell,
      facts: sum(own.map((state) => state.accepted)),
      rejected: sum(own.map((state) => state.rejected)),
      first_seen: seen.map((state) => state.first_seen).sort()[0] ?? '',
      last_seen:
        seen
          .map((state) => state.last_seen)
          .sort()
          .at(-1) ?? '',
      senders: [...new Set(own.map((state) => state.sender))],
    }
  })
}

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0)

/** Calls that come while one runs wait for one more run together: what they ask about may have come too late for the first. */
function sharing(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  const start = (): Promise<void> => {
    running = work().finally(() => {
      running = undefined
    })
    return running
  }
  return () => {
    if (!running) return start()
    next ??= running
      .catch(() => {})
      .then(() => {
        next = undefined
        return start()
      })
    return next
  }
}

/** File of the admin token, in the store's data directory. */
export const tokenFile = (store: Store) => join(store.dataDir, 'admin-token')
