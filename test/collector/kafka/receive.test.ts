import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readRecordBatches } from '../../../services/collector/receivers/kafka/record-batch.ts'
import { kafkaClassPath } from '../../lab/kafka/setup.ts'
import { generateText, seeded } from '../lines.ts'
import { toJson, toProtobuf } from '../otlp.ts'
import { call, rejectsOf, spansOf } from '../spans.ts'
import { openTestStore, type TestStore } from '../support.ts'
import {
  CompressionTypes,
  counted,
  exactly,
  linesOf,
  logOf,
  openTestKafka,
  receive,
  send,
  sendByJava,
  type TestKafka,
  until,
} from './support.ts'

let kafka: TestKafka
let store: TestStore

/** Receives one topic until so many are stored, and stops; what is stored then, counted in five ways. */
async function receiveAll(topic: string, accepted: number, rejected: number) {
  const { receiver, notes } = await receive(store, kafka.broker, [linesOf(topic, topic)])
  await until(
    () => counted(store, topic),
    ({ facts, rejects }) => facts >= accepted && rejects >= rejected,
  )
  await receiver.stop()
  expect(notes).toEqual([])
  expect(store.spooled()).toEqual([])
  return await counted(store, topic)
}

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const linesIn = (text: string) => text.split('\n').slice(0, -1)

describe.runIf(kafkaClassPath() !== undefined)('messages of a real broker', () => {
  beforeAll(async () => {
    kafka = await openTestKafka()
    store = await openTestStore('kafka')
  }, 120_000)
  afterAll(async () => {
    await store?.close()
    await kafka?.close()
  }, 60_000)

  test('lines, one or many in a message, with and without a newline at the end', async () => {
    await kafka.createTopic('lines', 3)
    const { text, accepted, rejected } = generateText(1, 20_000)
    const lines = linesIn(text)
    const random = seeded(3)
    const messages: string[] = []
    for (let index = 0; index < lines.length; ) {
      const many = random() < 0.5 ? 1 : 1 + Math.floor(random() * 50)
      messages.push(lines.slice(index, index + many).join('\n') + (random() < 0.5 ? '\n' : ''))
      index += many
    }
    await send(kafka, 'lines', [...messages, ''])
    expect(await receiveAll('lines', accepted, rejected)).toEqual(exactly(accepted, rejected))
    // A second receiver of the group, and one of a group whose offsets Kafka does not know, have nothing to add.
    expect(await receiveAll('lines', accepted, rejected)).toEqual(exactly(accepted, rejected))
  }, 60_000)

  test.each([
    ['gzip', CompressionTypes.GZIP],
    ['zstd', CompressionTypes.ZSTD],
    ['snappy', CompressionTypes.Snappy],
  ])(
    'compressed by kafkajs with %s',
    async (name, compression) => {
      await kafka.createTopic(name)
      const { text, accepted, rejected } = generateText(2, 3_000)
      await send(kafka, name, linesIn(text), { compression })
      expect(await receiveAll(name, accepted, rejected)).toEqual(exactly(accepted, rejected))
    },
    60_000,
  )

  test.each(['gzip', 'zstd', 'snappy', 'lz4'])(
    "compressed by Kafka's own producer with %s",
    async (codec) => {
      const topic = `java-${codec}`
      await kafka.createTopic(topic)
      const { text, accepted, rejected } = generateText(3, 3_000)
      sendByJava(kafka, topic, text, codec)
      expect(readRecordBatches(logOf(kafka, topic)).map((batch) => CODECS[batch.codec])).toContain(codec)
      expect(await receiveAll(topic, accepted, rejected)).toEqual(exactly(accepted, rejected))
    },
    60_000,
  )

  test.each([
    ['otlp_proto', toProtobuf],
    ['otlp_json', toJson],
    ['otlp_json', (resources) => JSON.stringify(JSON.parse(toJson(resources)), null, 2)],
  ] as ['otlp_proto' | 'otlp_json', typeof toJson][])(
    'OTLP requests as %s',
    async (framing, write) => {
      const topic = `spans-${framing}-${write.name}`
      await kafka.createTopic(topic)
      const requests = Array.from({ length: 200 }, (_, n) =>
        call(n + 1, { attributes: { 'url.full': `http://orders/a/${n}` } }, { attributes: { 'http.route': '/a/:id' } }),
      )
      await send(kafka, topic, requests.map(write), { size: 7 })
      await store.file('otlp-traces', requests.map((request) => `${toJson(request)}\n`).join(''), `${topic} file`)
      const { receiver } = await receive(store, kafka.broker, [
        { topic, source: 'otlp-traces', framing, sender: 'kafka', cluster: topic },
      ])
      const found = await until(
        () => spansOf(store, topic),
        (spans) => spans.length >= 400,
      )
      await receiver.stop()
      expect(found).toEqual(await spansOf(store, `${topic} file`))
      expect(found).toHaveLength(400)
      expect(await rejectsOf(store, topic)).toEqual([])
    },
    60_000,
  )

  test('what a transaction took back does not arrive', async () => {
    await kafka.createTopic('transactions')
    const { accepted, rejected, text } = generateText(4, 400)
    const values = linesIn(text).map((value) => ({ value }))
    const producer = kafka.transactional('transactions')
    await producer.connect()
    for (const [index, isCommitted] of [true, false, true, false].entries()) {
      const transaction = await producer.transaction()
      // The aborted ones repeat lines of the committed ones.
      const from = index < 2 ? 0 : 200
      await transaction.send({ topic: 'transactions', messages: values.slice(from, from + 200) })
      await (isCommitted ? transaction.commit() : transaction.abort())
    }
    await producer.disconnect()
    expect(await receiveAll('transactions', accepted, rejected)).toEqual(exactly(accepted, rejected))
  }, 60_000)

  test('a topic that was deleted and made anew begins at its beginning', async () => {
    await kafka.createTopic('again')
    const before = generateText(5, 500)
    const after = generateText(6, 900)
    const { receiver } = await receive(store, kafka.broker, [linesOf('again', 'again')])
    await send(kafka, 'again', linesIn(before.text))
    const stored = () => counted(store, 'again')
    await until(stored, ({ facts, rejects }) => facts + rejects >= 500)
    await kafka.admin.deleteTopics({ topics: ['again'] })
    await kafka.createTopic('again')
    // More than before: a position that was kept by the topic's name would lie in the middle.
    await send(kafka, 'again', linesIn(after.text))
    await until(stored, ({ facts, rejects }) => facts + rejects >= 1_400)
    await receiver.stop()
    expect(await stored()).toEqual(exactly(before.accepted + after.accepted, before.rejected + after.rejected))
  }, 90_000)

  test('a topic that is not there yet is waited for, and holds up no other', async () => {
    await kafka.createTopic('early')
    const { text, accepted, rejected } = generateText(7, 300)
    await send(kafka, 'early', linesIn(text))
    const topics = [linesOf('early', 'early'), linesOf('late', 'late')]
    const { receiver, notes } = await receive(store, kafka.broker, topics)
    const all = (cluster: string) =>
      until(
        () => counted(store, cluster),
        ({ facts, operations, edges, rejects }) => Math.min(facts, operations, edges) + rejects >= 300,
      )
    expect(await all('early')).toEqual(exactly(accepted, rejected))
    await kafka.createTopic('late')
    await send(kafka, 'late', linesIn(text))
    expect(await all('late')).toEqual(exactly(accepted, rejected))
    await receiver.stop()
    expect(notes).toEqual(['Kafka: topic late waits: it does not exist'])
  }, 60_000)
})
