import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { examine } from '../../services/api/doctor.ts'
import { SOURCES } from '../../services/collector/sources/index.ts'
import { type Lack, remedyOf } from '../../services/collector/sources/remedies.ts'
import { httpEntry, stream } from '../collector/sources-envoy/encode.ts'
import { otlpJson } from '../collector/sources-envoy/recorded.ts'
import { openTestStore, type TestStore } from '../collector/support.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('doctor')
}, 60_000)
afterAll(() => store.close())

const remediesOf = async (source: string) =>
  Object.fromEntries((await examine(store.store, source)).findings.map(({ missing, remedy }) => [missing, remedy]))

describe('a remedy is in the terms of who sends', () => {
  test('Envoy’s access log service: fields of its logger, no keys of a JSON log', async () => {
    await store.request('envoy-als', stream([httpEntry({ path: '/a' })]), { cluster: 'c' })
    const remedies = await remediesOf('envoy-als')
    expect(remedies['trace']).toContain('additional_request_headers_to_log')
    expect(remedies['source_principal']).toContain('PeerAuthentication')
    for (const remedy of Object.values(remedies)) expect(remedy).not.toContain('accessLogFormat')
  })

  test('OpenTelemetry logs: attributes of its logger', async () => {
    const traceless = otlpJson('callee', 'attributes').replaceAll('"traceparent"', '"other"')
    await store.file('otlp-logs', traceless, 'c')
    const remedies = await remediesOf('otlp-logs')
    expect(remedies['trace']).toContain('{ key: traceparent, value: { string_value: "%REQ(TRACEPARENT)%" } }')
    for (const remedy of Object.values(remedies)) expect(remedy).not.toContain('accessLogFormat')
  })
})

test('the file that a remedy names exists', () => {
  const lacks: Lack[] = ['source_principal', 'destination', 'workload_port', 'trace', 'tls', 'callee_reports']
  for (const { id } of SOURCES)
    for (const lack of lacks)
      for (const [path] of remedyOf(id, lack).matchAll(/services\/[\w/.-]+\.md/g))
        expect(existsSync(new URL(`../../${path}`, import.meta.url)), path).toBe(true)
})
