import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Committer } from '../../../services/collector/commit.ts'
import { createGatherer, type Gatherer } from '../../../services/collector/gather/gather.ts'
import { ingest } from '../../../services/collector/ingest.ts'
import { openInput } from '../../../services/collector/input/input.ts'
import { operator } from '../../../services/collector/origin.ts'
import { type Feed, joinChunks } from '../../../services/collector/receivers/kafka/chunks.ts'
import { createLedger } from '../../../services/collector/receivers/kafka/ledger.ts'
import { submitRaw } from '../../../services/collector/receivers/raw.ts'
import { findSource } from '../../../services/collector/sources/index.ts'
import { OverloadedError } from '../../../services/model/overloaded.ts'
import { positionsNamed } from '../../../services/store/queries/files.ts'
import { query, type Store } from '../../../services/store/store.ts'
import { followText } from '../follow/support.ts'
import { linesOf } from '../kafka/topics.ts'
import { generateText } from '../lines.ts'
import { traceRequest } from '../receivers/requests.ts'

/** A process of Cinch that takes in what is named so. */
export interface Taker {
  store: Store
  /** Has recovered what an earlier process left. */
  committer: Committer
  dir: string
  /** The cluster under which it is stored. */
  name: string
}

/** Takes everything in; where it throws, or is killed, another process does it again. */
export type Way = (taker: Taker) => Promise<void>

const TEXT = generateText(7, 300)
const LINES = TEXT.text.trimEnd().split('\n')
/** Messages of a topic that are no telemetry. */
const NULLS = 3
const SPANS = 20

/** What is stored of a name: each table asked by itself. Lines and spans are all different. */
export interface Stored {
  facts: number
  distinct: number
  operations: number
  edges: number
  rejects: number
  accepted: number
  rejected: number
}

export async function storedOf({ reads }: Store, name: string): Promise<Stored | undefined> {
  const edges = '(SELECT edge FROM edge WHERE cluster = {name:String})'
  const [row] = await query<Stored>(
    reads,
    `SELECT
       (SELECT count() FROM request WHERE cluster = {name:String}) + (SELECT count() FROM span WHERE cluster = {name:String}) AS facts,
       (SELECT uniqExact(path, user_agent) FROM request WHERE cluster = {name:String})
         + (SELECT uniqExact(span_key) FROM span WHERE cluster = {name:String}) AS distinct,
       (SELECT sum(requests) + sum(denied) FROM operation_usage WHERE edge IN ${edges}) AS operations,
       (SELECT sum(requests) + sum(denied) FROM edge_usage_day WHERE edge IN ${edges}) AS edges,
       (SELECT count() FROM rejected_line WHERE cluster = {name:String}) AS rejects,
       (SELECT sum(accepted) FROM ingest_batch WHERE cluster = {name:String}) AS accepted,
       (SELECT sum(rejected) FROM ingest_batch WHERE cluster = {name:String}) AS rejected`,
    { name },
  )
  return row
}

const lines = (more = 0): Stored => {
  const { accepted, rejected } = TEXT
  const all = { facts: accepted, distinct: accepted, operations: accepted, edges: accepted, accepted }
  return { ...all, rejects: rejected + more, rejected: rejected + more }
}
const spans = (facts: number, rejected: number): Stored => ({
  facts,
  distinct: facts,
  operations: 0,
  edges: 0,
  rejects: rejected,
  accepted: facts,
  rejected,
})

export const WAYS: Record<string, { take: Way; truth: Stored }> = {
  'lines over HTTP': { take: linesInRequests, truth: lines() },
  spans: { take: (taker) => spansInRequests(taker, 4), truth: spans(4 * SPANS, 0) },
  'spans, one request damaged': { take: (taker) => spansInRequests(taker, 4, 1), truth: spans(4 * SPANS, 1) },
  topic: { take: messagesOfTopic, truth: lines(NULLS) },
  'followed file': { take: followedFile, truth: lines() },
  'loaded file': { take: loadedFile, truth: lines() },
}

async function linesInRequests({ store, committer, name }: Taker): Promise<void> {
  const bodies = Array.from({ length: 6 }, (_, at) => Buffer.from(LINES.slice(at * 50, at * 50 + 50).join('\n')))
  await throughGatherer(store, committer, bodies, (gatherer, body) =>
    submitRaw(gatherer, findSource('istio-text'), operator(name), body, gatherer.admit(name, 'logs')),
  )
}

async function spansInRequests({ store, committer, name }: Taker, good: number, damaged = 0): Promise<void> {
  const bodies = Array.from({ length: good }, (_, at) => traceRequest(`${name} ${at}`, SPANS))
  // In the midst of them, so that it has neighbours on both sides.
  for (let at = 0; at < damaged; at++) bodies.splice(2, 0, damageInside(traceRequest(`${name} damaged ${at}`, SPANS)))
  await throughGatherer(store, committer, bodies, (gatherer, bytes) =>
    gatherer.submit({
      source: findSource('otlp-traces'),
      framing: 'protobuf',
      origin: operator(name),
      receiver: 'otlp_http',
      bytes,
      records: SPANS,
      hold: gatherer.admit(name, 'traces'),
    }),
  )
}

/** Sends requests side by side, each again until it is taken. */
async function throughGatherer(
  store: Store,
  committer: Committer,
  bodies: Buffer[],
  submit: (gatherer: Gatherer, body: Buffer) => Promise<unknown>,
): Promise<void> {
  const gatherer = await createGatherer(store, committer, { answerWithinMs: 300 })
  const untilTaken = async (body: Buffer) => {
    for (;;) {
      try {
        return await submit(gatherer, Buffer.from(body))
      } catch (error) {
        if (!(error instanceof OverloadedError)) throw error
      }
    }
  }
  try {
    await Promise.all(bodies.map(untilTaken))
  } finally {
    await gatherer.close()
  }
}

/** Field 7 of a span as a length-delimited value of 200 bytes, which the span does not have. */
function damageInside(whole: Buffer): Buffer {
  const bytes = Buffer.from(whole)
  const at = bytes.indexOf(0x39, bytes.indexOf('GET /orders'))
  bytes.set([0x3a, 200, 1], at)
  return bytes
}

/** A topic of one partition, a message a line, gone on with where the store has it. */
async function messagesOfTopic({ store, committer, name }: Taker): Promise<void> {
  const key = `kafka:c/g/${name}/id.0/0`
  const known = [...(await positionsNamed(store.reads, key)), ...committer.held()].filter(({ file }) => file === key)
  const ledger = createLedger()
  const chunks = await joinChunks(committer, () => {}, 8 << 10)
  const feed = { config: linesOf(name, name), origin: operator(name) } as Feed
  const begin = Math.max(0, ...known.map(({ end }) => end))
  const added: Promise<void>[] = []
  for (let first = begin; first < LINES.length; first += 60) {
    const next = Math.min(first + 60, LINES.length)
    const bytes = Buffer.from(`${LINES.slice(first, next).join('\n')}\n`)
    const nulls = { reason: 'null_message', line: `kafka ${name}/0, from offset ${first}`, messages: NULLS }
    const rejects = next === LINES.length ? [nulls] : []
    const piece = { bytes, lines: next - first, rejects, key, first, next }
    added.push(chunks.add(feed, { ...piece, ...ledger.take(key, first, next) }))
  }
  await Promise.all(added)
  await chunks.close()
}

async function followedFile({ store, committer, dir, name }: Taker): Promise<void> {
  const log = join(dir, `${name}.log`)
  writeFileSync(log, TEXT.text)
  const follower = await followText({ store, committer }, name, [log])
  await follower.caughtUp()
  await follower.stop()
}

async function loadedFile({ store, committer, dir, name }: Taker): Promise<void> {
  const log = join(dir, `${name}.log`)
  writeFileSync(log, TEXT.text)
  await ingest(store, committer, findSource('istio-text'), operator(name), await openInput(log), () => {}, 40 << 10)
}
