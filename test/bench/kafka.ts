import { createReadStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import kafkajs from 'kafkajs'
import { openCinch } from '../../services/api/cinch.ts'
import { type Flow, SILENT } from '../../services/collector/observe.ts'
import { query, type Store } from '../../services/store/store.ts'
import { type KafkaBroker, startKafka } from '../lab/kafka/broker.ts'
import { writeLines } from './lines.ts'

const TOPIC = 'access'
const PARTITIONS = 4
const LINES_PER_SEND = 500

/** A broker whose topic holds lines, to be read as often as one likes. */
export interface FilledKafka {
  broker: KafkaBroker
  lines: number
  close(): Promise<void>
}

export interface KafkaFigures {
  linesPerSecond: number
  /** Processor time of Cinch with its engine, and of the broker, in seconds for each second that it took. */
  processors: { cinch: number; broker: number }
}

/** Starts the lab's Kafka and fills a topic of four partitions with so many lines of about 1.1 kB, gzip, so many a message. */
export async function fillKafka(lines: number, linesPerMessage: number): Promise<FilledKafka> {
  const dir = mkdtempSync(join(tmpdir(), 'cinch-bench-kafka-'))
  const broker = await startKafka({ dir })
  const { Kafka, logLevel, Partitioners, CompressionTypes } = kafkajs
  const kafka = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await Promise.all([admin.connect(), producer.connect()])
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic: TOPIC, numPartitions: PARTITIONS }] })
  const file = join(dir, 'access.log')
  writeLines(file, lines)
  let turn = 0
  for await (const values of messagesOf(file, linesPerMessage)) {
    const partition = turn++ % PARTITIONS
    const messages = values.map((value) => ({ value, partition }))
    await producer.send({ topic: TOPIC, messages, compression: CompressionTypes.GZIP })
  }
  await Promise.all([admin.disconnect(), producer.disconnect()])
  return {
    broker,
    lines,
    close: async () => {
      await broker.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** The lines of a file as messages, as many as are sent at once. */
async function* messagesOf(file: string, linesPerMessage: number): AsyncGenerator<string[]> {
  const perSend = LINES_PER_SEND / linesPerMessage
  let messages: string[] = []
  let lines: string[] = []
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (lines.push(line) < linesPerMessage) continue
    messages.push(lines.join('\n'))
    lines = []
    if (messages.length < perSend) continue
    yield messages
    messages = []
  }
  if (lines.length > 0) messages.push(lines.join('\n'))
  if (messages.length > 0) yield messages
}

/**
 * Reads the filled topic into a store that is empty and up to date, and measures from the start of the receiver until every
 * line is stored. Broker and collector share the machine.
 */
export async function measureKafka(store: Store, { broker, lines }: FilledKafka): Promise<KafkaFigures> {
  let accepted = 0
  const all = Promise.withResolvers<void>()
  const observe = {
    ...SILENT,
    accepted: (_flow: Flow, count: number) => {
      accepted += count
      if (accepted >= lines) all.resolve()
    },
  }
  const cinch = await openCinch(store, { observe })
  await cinch.senders.register({
    id: 'kafka',
    sources: ['istio-json'],
    cluster: '',
    workloads: [],
    evidence: 'verified',
    spiffe: '',
  })
  const before = { cinch: process.cpuUsage(), broker: broker.processorSeconds() }
  const started = performance.now()
  const topic = { topic: TOPIC, source: 'istio-json', framing: 'lines', sender: 'kafka', cluster: '' } as const
  // A group of its own each time: the one of before may still be waited for.
  const group = `bench-${Math.floor(performance.timeOrigin + started)}`
  const receiver = await cinch.kafka({ brokers: [broker.bootstrap], group, topics: [topic] }, (text) =>
    console.error(text),
  )
  await all.promise
  const seconds = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(before.cinch)
  const processors = {
    cinch: (user + system) / 1e6 / seconds,
    broker: (broker.processorSeconds() - before.broker) / seconds,
  }
  await receiver.stop()
  await cinch.close()
  const [row] = await query<{ lines: number }>(store.reads, 'SELECT sum(b.accepted) AS lines FROM ingest_batch AS b')
  if (Number(row?.lines) !== lines) throw new Error(`${row?.lines} of ${lines} lines were stored`)
  return { linesPerSecond: lines / seconds, processors }
}
