import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectedOf } from '../../lab/record/expect.ts'
import { ALS_RECOMMENDED, OTEL_ATTRIBUTES } from '../../lab/record/loggers.ts'
import { type Recording, record } from '../../lab/record/record.ts'
import { framed } from '../../lab/record/wire.ts'
import { labBinary } from '../../lab/setup.ts'
import { required } from '../../requirements.ts'
import { openTestStore, type TestStore } from '../support.ts'
import { comparable, normal, timeless, without } from './recorded.ts'

describe.skipIf(!labBinary() && !required('CINCH_REQUIRE_LAB'))('Envoys that run now', () => {
  let dir: string
  let store: TestStore
  let recording: Recording

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cinch-record-'))
    store = await openTestStore('live-envoy')
    recording = await record(dir)
  })
  afterAll(async () => {
    await store?.close()
    await rm(dir, { recursive: true, force: true })
  })

  const expected = (source: string) => timeless(normal(without(expectedOf(recording, source), 'proxy')))

  test('the bytes of their access log service as they came are the facts of what was driven', async () => {
    const streams = recording.received.als.filter(([first]) =>
      ['http', 'tcp'].some((kind) => first?.includes(framed(2, Buffer.from(`${ALS_RECOMMENDED}_${kind}`)))),
    )
    const bytes = Buffer.concat(streams.map((messages) => framed(1, Buffer.concat(messages))))
    expect(await store.file('envoy-als', bytes, 'als')).toMatchObject({ rejected: 0 })
    expect(timeless(await comparable(store, 'als'))).toEqual(expected('envoy-als'))
  })

  test('and so are their OpenTelemetry logs', async () => {
    const requests = recording.received.httpLogs.filter((request) => request.includes(OTEL_ATTRIBUTES))
    expect(await store.file('otlp-logs', Buffer.concat(requests), 'logs')).toMatchObject({ rejected: 0 })
    expect(timeless(await comparable(store, 'logs'))).toEqual(expected('otlp-logs'))
  })
})
