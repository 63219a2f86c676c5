import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { INFLATED_BYTES_MAX } from '../../../services/collector/receivers/kafka/decompress.ts'
import { MESSAGE_BYTES_MAX } from '../../../services/collector/receivers/kafka/framing.ts'
import { readRecordBatches } from '../../../services/collector/receivers/kafka/record-batch.ts'
import { kafkaClassPath } from '../../lab/kafka/setup.ts'
import { generateText } from '../lines.ts'
import { toProtobuf } from '../otlp.ts'
import { call, spansOf } from '../spans.ts'
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

const reasons = (cluster: string) =>
  store.rows(
    'SELECT reason, count() AS messages FROM rejected_line WHERE cluster = {cluster:String} GROUP BY reason ORDER BY reason',
    { cluster },
  )

describe.runIf(kafkaClassPath() !== undefined)('messages that are no telemetry', () => {
  beforeAll(async () => {
    kafka = await openTestKafka()
    store = await openTestStore('kafka-poison')
  }, 120_000)
  afterAll(async () => {
    await store?.close()
    await kafka?.close()
  }, 60_000)

  test('null, too large, inflating beyond all bounds, far too many: rejected, and the partition goes on', async () => {
    await kafka.createTopic('poison')
    const good = generateText(1, 600)
    const lines = good.text.split('\n').slice(0, -1)
    const gzip = { compression: CompressionTypes.GZIP }
    await send(kafka, 'poison', lines.slice(0, 200))
    await send(kafka, 'poison', [null, lines[200] ?? '', null])
    await send(kafka, 'poison', [Buffer.alloc(MESSAGE_BYTES_MAX + 1), lines[201] ?? ''], gzip)
    const bomb = Array.from({ length: INFLATED_BYTES_MAX >> 20 }, () => Buffer.alloc(1 << 20))
    await send(kafka, 'poison', bomb, gzip)
    // More messages in one batch than a stack holds arguments.
    sendByJava(kafka, 'poison', 'x\n'.repeat(150_000))
    expect(Math.max(...readRecordBatches(logOf(kafka, 'poison')).map(({ count }) => count))).toBeGreaterThan(130_000)
    await send(kafka, 'poison', lines.slice(202))
    const { receiver, notes } = await receive(store, kafka.broker, [linesOf('poison', 'poison')])
    const rejected = good.rejected + 2 + 1 + 1 + 150_000
    await until(
      () => counted(store, 'poison'),
      ({ facts, rejects }) => facts >= good.accepted && rejects >= rejected,
    )
    await receiver.stop()
    expect(await counted(store, 'poison')).toEqual(exactly(good.accepted, rejected))
    expect(notes).toEqual([])
    const own = /^(null_message|message_too_large|batch_too_large)$/
    expect((await reasons('poison')).filter(({ reason }) => own.test(String(reason)))).toEqual([
      { reason: 'batch_too_large', messages: 1 },
      { reason: 'message_too_large', messages: 1 },
      { reason: 'null_message', messages: 2 },
    ])
  }, 120_000)

  test('protobuf that is none takes none of its neighbours along', async () => {
    await kafka.createTopic('spans')
    const requests = Array.from({ length: 60 }, (_, n) => toProtobuf(call(n + 1, {}, {})))
    const cut = (requests[0] ?? Buffer.alloc(0)).subarray(0, 40)
    const bent = Buffer.from(requests[1] ?? '')
    bent.fill(0xff, 10, 30)
    const values = [...requests.slice(0, 20), Buffer.from('hello'), ...requests.slice(20, 40), cut, bent, null]
    await send(kafka, 'spans', [...values, ...requests.slice(40)])
    const { receiver } = await receive(store, kafka.broker, [
      { topic: 'spans', source: 'otlp-traces', framing: 'otlp_proto', sender: 'kafka', cluster: 'spans' },
    ])
    const found = await until(
      () => spansOf(store, 'spans'),
      (spans) => spans.length >= 121,
    )
    await receiver.stop()
    // A request of two resources is two frames; the bent one is bent in its first.
    expect(found).toHaveLength(121)
    expect(await reasons('spans')).toEqual([
      { reason: 'malformed_protobuf', messages: 3 },
      { reason: 'null_message', messages: 1 },
    ])
  }, 60_000)
})
