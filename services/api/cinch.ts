import { join } from 'node:path'
import type { ChainAnswer } from '../analyzer/chains/describe.ts'
import { findChains } from '../analyzer/chains/find.ts'
import { reportOfReadBack } from '../analyzer/findings/from-read-back.ts'
import { observedOperations } from '../analyzer/graph/operations.ts'
import type { View } from '../analyzer/graph/screen.ts'
import { joinCallers } from '../analyzer/identity/join.ts'
import { countMetrics } from '../analyzer/metrics/count.ts'
import type { Pace } from '../analyzer/pace.ts'
import { pairSpans } from '../analyzer/spans/pair.ts'
import { createLearner, type LearnPace } from '../analyzer/templates/job.ts'
import { createStoredTemplates, type StoredTemplates } from '../analyzer/templates/stored.ts'
import { type Committer, createCommitter, type Recovery } from '../collector/commit.ts'
import type { Hold } from '../collector/gather/budget.ts'
import { createGatherer, type Gatherer, type GathererOptions } from '../collector/gather/gather.ts'
import { type IngestResult, ingest, ingestRequest, type Progress } from '../collector/ingest.ts'
import type { Input } from '../collector/input/input.ts'
import { type Observer, SILENT } from '../collector/observe.ts'
import { type Origin, operator } from '../collector/origin.ts'
import { type Follower, follow } from '../collector/receivers/follow.ts'
import type { KafkaConfig } from '../collector/receivers/kafka/config.ts'
import type { KafkaReceiver } from '../collector/receivers/kafka/receiver.ts'
import { signalOf, submitRaw } from '../collector/receivers/raw.ts'
import { createSenders, type Senders } from '../collector/senders.ts'
import { findSource } from '../collector/sources/index.ts'
import type { Comparison } from '../model/comparison.ts'
import type { Graph, GroupBy, Screen } from '../model/graph.ts'
import type { ObservedOperation } from '../model/operation.ts'
import { migrate } from '../store/migrate.ts'
import { graphState } from '../store/queries/known-edges.ts'
import { rejectReasons, rejects } from '../store/queries/rejects.ts'
import { storedWindow, type Window } from '../store/queries/rollups.ts'
import { spoolBytes } from '../store/spool-size.ts'
import type { Store } from '../store/store.ts'
import { type AskedChains, CHECK_CHAINS_MS, type ChainsAnswer, chainByTrace, chains } from './chains.ts'
import { type CompletenessAnswer, completeness } from './completeness.ts'
import {
  type AskedDirectory,
  type AskedLinks,
  type DirectoryAnswer,
  type DirectoryLinksAnswer,
  directory,
  directoryLinkAnswer,
} from './directory.ts'
import { type DisagreementsAnswer, disagreements } from './disagreements.ts'
import { type Doctor, examine } from './doctor.ts'
import type { Findings, LookPace } from './findings.ts'
import { createFreshness, type SourceListing } from './freshness.ts'
import { createGraphs } from './graphs.ts'
import { createLifecycle, type Lifecycle } from './lifecycle/lifecycle.ts'
import { type PolicyUses, policyQuestions } from './policy-questions.ts'
import { createRequirements, type Requirements } from './requirements.ts'
import { createRisk, type Risk } from './risk.ts'
import { type StepUpAnswer, type StepUpRequest, stepUp } from './step-up.ts'
import { createTemplates, type Templates } from './templates.ts'
import { type AskedGraph, type AskedWindow, resolveWindow } from './window.ts'

/** Everything that Cinch does for its users, the same for the command line and the API. */
export interface Cinch extends PolicyUses, Requirements {
  /** Which operations ask users for more, whom that would have prompted, and the policies that ask. */
  stepUp(request: StepUpRequest): Promise<StepUpAnswer>
  migrated: number[]
  /** What became of chunks that earlier processes left in the spool. */
  recovered: Recovery
  /** Sources, what came of them, and who has fallen silent. @param nowMs for tests */
  sources(nowMs?: number): Promise<SourceListing[]>
  /** Follows files of lines until it is stopped. */
  follow(source: string, cluster: string, patterns: string[], note: (text: string) => void): Promise<Follower>
  /** Reads topics of Kafka until it is stopped. @throws CinchError `kafka_refused` */
  kafka(config: KafkaConfig, note: (text: string) => void): Promise<KafkaReceiver>
  ingest(source: string, cluster: string, input: Input, progress?: Progress): Promise<IngestResult>
  /** Stores what came in one request; `hold` is the memory of the body where that was taken already; given back here. */
  ingestRequest(source: string, origin: Origin, body: Buffer, hold?: Hold): Promise<IngestResult>
  /** What receivers hand requests to; opened when it is first asked for. */
  gatherer(): Promise<Gatherer>
  /** Brings what was taken into the store, or leaves it in the spool. Before the store is closed. */
  close(): Promise<void>
  /** The graph with the operations of every edge. */
  graph(asked: AskedGraph): Promise<Graph>
  /** The graph without operations: what a screen asks for first. */
  edges(window: AskedWindow): Promise<Graph>
  /** The graph cut to a screen: grouped, or what is around one node. */
  screen(window: AskedWindow, view: View): Promise<Screen>
  /** Changes when the graph may have: for pages that follow it. */
  graphState(): Promise<string>
  /** What a window has that an earlier one had not, and the other way round. @param by what changes are counted by, too */
  compare(window: AskedWindow, earlier: AskedWindow, by: GroupBy): Promise<Comparison>
  operations(window: AskedWindow): Promise<{ window: Window; operations: ObservedOperation[] }>
  rejects(source: string, limit: number): Promise<RejectListing>
  doctor(source: string): Promise<Doctor>
  /** Access logs held against the proxies' request counters, by callee and hour. */
  completeness(window: AskedWindow): Promise<CompletenessAnswer>
  /** Where one word on who called is held against another's. */
  disagreements(window: AskedWindow): Promise<DisagreementsAnswer>
  /** What directories, identity providers and posture systems said. */
  directory(asked: AskedDirectory): Promise<DirectoryAnswer>
  /** Changes in directories, each with the access that led to it. */
  directoryLinks(asked: AskedLinks): Promise<DirectoryLinksAnswer>
  /** Chains by root operation and shape, and where they break. */
  chains(asked: AskedChains): Promise<ChainsAnswer>
  /** One chain. @throws CinchError `not_found` */
  chain(trace: string): Promise<ChainAnswer>
  /** Finds the chains in what came since they were last looked for; not part of `analyze`, for it costs many times as much. */
  countChains(): Promise<void>
  /** Finds who called in what came since, where no line says it; part of `analyze` unless it has a pace of its own. */
  joinCallers(): Promise<void>
  /** Learns the operations of callees that have something new; not part of `analyze`, for it looks at all that is stored. */
  learnOperations(): Promise<void>
  /** What was learned of each callee's operations, and what people said of them. */
  templates: Templates
  /** Drafts, approvals, what is deployed, and what owners declare. */
  lifecycle: Lifecycle
  /** How far what users and workloads do is from what they usually do. */
  risk: Risk
  /** Brings what is derived up to date with what was loaded. Resolves when it is; calls that overlap share one run. */
  analyze(): Promise<void>
  senders: Senders
  /** Whom receivers tell what they do. */
  observe: Observer
}

export interface RejectListing {
  reasons: Awaited<ReturnType<typeof rejectReasons>>
  lines: Awaited<ReturnType<typeof rejects>>
}

export interface CinchOptions {
  /** Bounds of what waits for the store; the defaults are in `collector/group-commit.ts`. */
  gatherer?: GathererOptions
  /** Whom the collector tells what it does. */
  observe?: Observer
  /** Runs a job of the analyzer, timed and traced. */
  job?: (name: string, work: () => Promise<unknown>) => Promise<unknown>
  /** For a service: how long ago spans must have begun to be looked at for good; absent, all are at once. `pairSpans` */
  spansSettledMs?: number
  /** For a service, which joins callers every now and then; absent, `analyze` does. */
  joinPace?: Pace
  /** For a service, which counts chains every now and then; absent, they are counted when they are asked for. */
  chainsPace?: Pace
  /** For a service, which learns operations every now and then. */
  learnPace?: LearnPace
  /** For a service, which looks for findings every now and then; absent, they are looked for when they are asked for. */
  lookPace?: LookPace
}

/** Brings the store up to date, finishes what an earlier process left, and gives the uses of it. */
export async function openCinch(store: Store, options: CinchOptions = {}): Promise<Cinch> {
  const migrated = await migrate(store)
  const observe = options.observe ?? SILENT
  observe.gauge(
    { name: 'cinch.spool.size', unit: 'By', description: 'Bytes in the spool that wait for the store.' },
    () => spoolBytes(store.dataDir),
  )
  const job = options.job ?? ((_name, work) => work())
  const committer = createCommitter(store, observe)
  const recovered = await committer.recover()
  const joinPace = options.joinPace
  const join = sharing(async () => {
    await job('join_callers', () => joinCallers(store, Date.now(), joinPace))
  })
  const analyze = sharing(async () => {
    await job('pair_spans', () => pairSpans(store, options.spansSettledMs))
    if (!joinPace) await join()
    await job('count_metrics', () => countMetrics(store))
  })
  const templates = createStoredTemplates(store)
  const pace = options.chainsPace
  const countChains = sharing(async () => {
    await job('find_chains', () => findChains(store, Date.now(), pace, { templates }))
  })
  const learner = createLearner(store)
  const learnOperations = sharing(async () => {
    await job('learn_operations', () => learner.learn(Date.now(), options.learnPace))
  })
  await analyze()
  // A store from before templates were stored has none.
  if (migrated.length > 0) await learnOperations()
  const senders = createSenders(store)
  const lifecycle = createLifecycle(store)
  const chainsCounted = async (budgetMs?: number) => {
    if (pace) return
    if (budgetMs === undefined) await countChains()
    else await job('find_chains', () => findChains(store, Date.now(), pace, { templates, budgetMs }))
  }
  const answers = questions(store, lifecycle, chainsCounted, templates, options.lookPace)
  return {
    migrated,
    recovered,
    analyze,
    observe,
    senders,
    ...consumers(store, committer, senders, observe),
    ...ingestion(store, committer, analyze, options.gatherer),
    learnOperations,
    templates: createTemplates(store, learner),
    lifecycle: reporting(lifecycle, answers.findings),
    ...answers,
    risk: timed(createRisk(store), job),
    countChains,
    joinCallers: join,
  }
}

/** Receivers that fetch. */
function consumers(
  store: Store,
  committer: Committer,
  senders: Senders,
  observe: Observer,
): Pick<Cinch, 'kafka' | 'follow'> {
  return {
    kafka: async (config, note) => {
      const { startKafkaReceiver } = await import('../collector/receivers/kafka/receiver.ts')
      return await startKafkaReceiver({ store, committer, senders, config, note })
    },
    follow: async (source, cluster, patterns, note) =>
      await follow({
        store,
        committer,
        source: findSource(source),
        origin: operator(cluster),
        patterns,
        note,
        observe,
      }),
  }
}

/** What is read back and is not what was approved is a finding. */
function reporting(lifecycle: Lifecycle, findings: Findings): Lifecycle {
  return {
    ...lifecycle,
    readBack: async (files, target, by) => {
      const result = await lifecycle.readBack(files, target, by)
      await findings.take([reportOfReadBack(target, result, new Date().toISOString())])
      return result
    },
  }
}

/** Judging as a job of the analyzer, of which one runs at a time. */
function timed(risk: Risk, job: NonNullable<CinchOptions['job']>): Risk {
  let running: Promise<number> | undefined
  const judge = async (nowMs?: number) => {
    let judged = 0
    await job('judge_risk', async () => {
      judged = await risk.judge(nowMs)
    })
    return judged
  }
  return {
    ...risk,
    judge: async (nowMs) => {
      running ??= judge(nowMs).finally(() => {
        running = undefined
      })
      return await running
    },
  }
}

type Jobs =
  | 'migrated'
  | 'recovered'
  | 'analyze'
  | 'countChains'
  | 'joinCallers'
  | 'learnOperations'
  | 'templates'
  | 'lifecycle'
  | 'risk'
  | Outside
type Outside = 'senders' | 'observe' | 'follow' | 'kafka'
type Ingestion = 'ingest' | 'ingestRequest' | 'gatherer' | 'close'

function ingestion(
  store: Store,
  committer: Committer,
  analyze: () => Promise<void>,
  options?: GathererOptions,
): Pick<Cinch, Ingestion> {
  let opened: Promise<Gatherer> | undefined
  const gatherer = () => {
    opened ??= createGatherer(store, committer, options).catch((error: unknown) => {
      // Asked again, it is tried again: the store may be there by then.
      opened = undefined
      throw error
    })
    return opened
  }
  return {
    gatherer,
    close: async () => await (await opened)?.close(),
    ingest: async (source, cluster, input, progress) => {
      const result = await ingest(store, committer, findSource(source), operator(cluster), input, progress)
      await analyze()
      return result
    },
    ingestRequest: async (id, origin, body, given) => {
      const source = findSource(id)
      const hold = given ?? (await gatherer()).admit(origin.sender, signalOf(source))
      if (!given) hold.grow(body.length)
      if (source.kind !== 'objects') return await submitRaw(await gatherer(), source, origin, body, hold)
      return await ingestRequest(store, committer, source, origin, body).finally(() => hold.release())
    },
  }
}

function questions(
  store: Store,
  lifecycle: Lifecycle,
  chainsCounted: (budgetMs?: number) => Promise<void>,
  templates: StoredTemplates,
  lookPace?: LookPace,
): Omit<Cinch, Jobs | Ingestion> {
  const graphs = createGraphs(store, undefined, templates)
  const windowOf = async (asked: AskedWindow) =>
    resolveWindow(asked, asked.since && asked.until ? undefined : await storedWindow(store.reads))
  const edges = async (asked: AskedWindow) => await graphs.edges(await windowOf(asked))
  const operations = async (asked: AskedWindow) => {
    const window = await windowOf(asked)
    return { window, ...(await graphs.operations(window)) }
  }
  const evidence = async (asked: AskedWindow) => {
    const window = await windowOf(asked)
    return { window, ...(await graphs.evidence(window)) }
  }
  const templated = async (asked: AskedWindow) => await graphs.withLearned(await operations(asked))
  const chainsOf = async (asked: AskedChains) => {
    await chainsCounted()
    return await chains(store, asked, edges)
  }
  return {
    sources: createFreshness(store),
    graph: async ({ hideNoise, ...asked }) => await graphs.graph(await windowOf(asked), hideNoise),
    edges,
    screen: async (asked, view) => await graphs.screen(await windowOf(asked), view),
    graphState: () => graphState(store.reads),
    compare: async (asked, earlier, by) => await graphs.compare(await windowOf(asked), await windowOf(earlier), by),
    operations: async (asked) => {
      const { window, calls } = await templated(asked)
      return { window, operations: observedOperations(calls.calls) }
    },
    ...policyQuestions({ windowOf, seen: operations, evidence, learned: graphs.withLearned }, lifecycle, store),
    stepUp: async (request) =>
      await stepUp(request, { seen: operations, learned: graphs.withLearned, chainsOf, reads: store.reads }),
    rejects: async (source, limit) => {
      const id = source === '' ? '' : findSource(source).id
      return { reasons: await rejectReasons(store.reads, id), lines: await rejects(store.reads, id, limit) }
    },
    doctor: async (source) => await examine(store, source === '' ? '' : findSource(source).id),
    completeness: async (asked) => await completeness(store, asked),
    ...createRequirements({
      ...{ store, graphs, windowOf, lookPace },
      chainsOf: async (asked) => {
        await chainsCounted(CHECK_CHAINS_MS)
        return await chains(store, asked, edges)
      },
    }),
    disagreements: async (asked) => await disagreements(store, asked),
    directory: async (asked) => await directory(store, asked),
    directoryLinks: async (asked) => await directoryLinkAnswer(store, asked, asked.limit),
    chains: chainsOf,
    chain: async (trace) => await chainByTrace(store, trace, templates),
  }
}

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
