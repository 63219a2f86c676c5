import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Follower } from '../../../services/collector/receivers/follow.ts'
import type { KafkaReceiver } from '../../../services/collector/receivers/kafka/receiver.ts'
import { openTestKafka, send, type TestKafka } from '../../collector/kafka/support.ts'
import { openReceivers, type TestReceivers } from '../../collector/receivers/support.ts'
import { type Driven, drive } from './drive.ts'
import { linesOf, settled } from './logs.ts'
import { type Mesh, startMesh } from './mesh.ts'
import { objectsOf } from './objects.ts'
import type { PlanOptions } from './plan.ts'
import { type Cluster, TRUST_DOMAINS, WORKLOADS } from './world.ts'

/** A way that telemetry takes to Cinch, as the columns of its facts name it. */
export interface Way {
  name: 'file' | 'als' | 'otlp-logs' | 'otlp-traces' | 'kafka'
  source_format: string
  /** The part of a sender's name that is before its cluster's. */
  sender: string
}

export const WAYS: readonly Way[] = [
  { name: 'file', source_format: 'istio-json', sender: 'operator' },
  { name: 'als', source_format: 'envoy-als', sender: 'proxies' },
  { name: 'otlp-logs', source_format: 'otlp-logs', sender: 'proxies' },
  { name: 'otlp-traces', source_format: 'otlp-traces', sender: 'proxies' },
  { name: 'kafka', source_format: 'istio-json', sender: 'kafka' },
]

/** One run of the mesh, received in all ways while it went on. */
export interface FiveWays extends TestReceivers {
  mesh: Mesh
  driven: Driven
  /** Lines in the recommended files: each of the other ways but the traces tells of as many calls. */
  lines: number
}

const CLUSTERS = Object.keys(TRUST_DOMAINS) as Cluster[]
const QUIET_MS = 3_000
const DEADLINE_MS = 90_000

/** Runs the plan of `options` with Cinch's receivers on real ports, and waits until all has come in every way. */
export async function receiveFiveWays(options: PlanOptions): Promise<FiveWays> {
  const dir = await mkdtemp(join(tmpdir(), 'cinch-five-ways-'))
  const opened: (() => unknown)[] = [() => rm(dir, { recursive: true, force: true })]
  const close = async () => {
    for (const end of opened.splice(0).reverse()) await end()
  }
  try {
    const receivers = await openReceivers('five-ways')
    opened.push(() => receivers.close())
    const kafka = await openTestKafka()
    opened.push(() => kafka.close())
    const mesh = await startMesh({
      ...{ dir, als: receivers.grpc, otlpGrpc: receivers.grpc },
      tokens: {
        east: await receivers.register('proxies-east', PROXY_SOURCES, { cluster: 'east' }),
        west: await receivers.register('proxies-west', PROXY_SOURCES, { cluster: 'west' }),
      },
    })
    opened.push(() => mesh.stop())
    await receivers.cinch.ingestRequest('kubernetes-objects', OPERATOR, Buffer.from(objectsOf()))
    const streams = [
      ...(await Promise.all(CLUSTERS.map((c) => followFiles(receivers, mesh, c)))),
      await readTopics(receivers, kafka),
    ]
    opened.push(() => Promise.all(streams.map((stream) => stream.stop())))
    const driven = await drive(mesh, options)
    await settled(mesh)
    await sleep(SPANS_FLUSH_MS)
    // What an Envoy has not sent when it ends is lost.
    await allStored(receivers)
    // Connections of TCP are told when they end.
    await mesh.stop()
    const lines = await produce(mesh, kafka)
    await allStored(receivers)
    await receivers.cinch.analyze()
    return { ...receivers, mesh, driven, lines, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Envoy's spans leave it within five seconds. */
const SPANS_FLUSH_MS = 6_000
const PROXY_SOURCES = ['envoy-als', 'otlp-logs', 'otlp-traces']
const OPERATOR = { sender: 'operator', tenant: '', cluster: '', evidenceCap: 'verified', speaksFor: '' } as const

const envoysOf = (mesh: Mesh, cluster: Cluster) =>
  WORKLOADS.filter((workload) => workload.cluster === cluster).flatMap(({ id }) => mesh.envoys.get(id) ?? [])

async function followFiles({ cinch }: TestReceivers, mesh: Mesh, cluster: Cluster): Promise<Follower> {
  const patterns = envoysOf(mesh, cluster).map(({ logs }) => logs.recommended)
  return await cinch.follow('istio-json', cluster, patterns, () => undefined)
}

const topicOf = (cluster: Cluster) => `access-log-${cluster}`

async function readTopics({ cinch }: TestReceivers, kafka: TestKafka): Promise<KafkaReceiver> {
  for (const cluster of CLUSTERS) {
    await kafka.createTopic(topicOf(cluster))
    await cinch.senders.register({
      ...{ id: `kafka-${cluster}`, sources: ['istio-json'], cluster, workloads: [], evidence: 'verified' },
    })
  }
  const topics = CLUSTERS.map((cluster) => ({
    ...({
      topic: topicOf(cluster),
      source: 'istio-json',
      framing: 'lines',
      sender: `kafka-${cluster}`,
      cluster,
    } as const),
  }))
  const config = { brokers: [kafka.broker.bootstrap], group: 'cinch', sessionTimeoutMs: 6_000, topics }
  return await cinch.kafka(config, () => undefined)
}

async function produce(mesh: Mesh, kafka: TestKafka): Promise<number> {
  let count = 0
  for (const cluster of CLUSTERS) {
    const lines = (await Promise.all(envoysOf(mesh, cluster).map(({ logs }) => linesOf(logs.recommended)))).flat()
    await send(kafka, topicOf(cluster), lines)
    count += lines.length
  }
  return count
}

/** Waits until nothing more is stored. @throws Error when more still comes after a minute */
async function allStored({ rows }: TestReceivers): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS
  let [seen, since] = ['', Date.now()]
  while (Date.now() - since < QUIET_MS) {
    if (Date.now() > deadline) throw new Error(`more is still stored after ${DEADLINE_MS} ms`)
    const counts = await rows(
      'SELECT source_format, sender, sum(accepted) AS n FROM ingest_batch GROUP BY ALL ORDER BY ALL',
    )
    const now = JSON.stringify(counts)
    if (now !== seen) [seen, since] = [now, Date.now()]
    await sleep(100)
  }
}
