import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { KafkaConfig } from '../../../services/collector/receivers/kafka/config.ts'
import { createSenders } from '../../../services/collector/senders.ts'
import { createAuthority } from '../../lab/certificates.ts'
import { kafkaClassPath } from '../../lab/kafka/setup.ts'
import { generateText } from '../lines.ts'
import { openTestStore, type TestStore } from '../support.ts'
import { counted, exactly, linesOf, openTestKafka, receive, send, type TestKafka, until } from './support.ts'

let kafka: TestKafka
let store: TestStore
const { text, accepted, rejected } = generateText(1, 200)

describe.runIf(kafkaClassPath() !== undefined)('who may read, and on whose word', () => {
  beforeAll(async () => {
    kafka = await openTestKafka()
    store = await openTestStore('kafka-security')
    await kafka.createTopic('t')
    await send(kafka, 't', text.split('\n').slice(0, -1))
  }, 120_000)
  afterAll(async () => {
    await store?.close()
    await kafka?.close()
  }, 60_000)

  const ways: [string, () => Partial<KafkaConfig>][] = [
    ['SASL PLAIN', () => sasl('plain')],
    ['SASL SCRAM-SHA-256', () => sasl('scram-sha-256')],
    ['SASL SCRAM-SHA-512', () => sasl('scram-sha-512')],
    ['TLS', () => ({ brokers: [`127.0.0.1:${kafka.broker.ports.ssl}`], tls: tls(['authority']) })],
    [
      'mutual TLS',
      () => ({
        brokers: [`127.0.0.1:${kafka.broker.ports.mutualTls}`],
        tls: tls(['authority', 'certificate', 'key']),
      }),
    ],
  ]

  test.each(ways)(
    '%s',
    async (name, config) => {
      // Each is a group of its own, so each has the whole topic to read.
      const group = name.replaceAll(' ', '-')
      const { receiver, notes } = await receive(store, kafka.broker, [linesOf('t', name)], { group, ...config() })
      await until(
        () => counted(store, name),
        ({ facts, rejects }) => facts + rejects >= 200,
      )
      await receiver.stop()
      expect(notes).toEqual([])
      expect(await counted(store, name)).toEqual(exactly(accepted, rejected))
    },
    60_000,
  )

  test('a wrong password is told at once, without the password', async () => {
    const wrong = { mechanism: 'plain', username: 'cinch', password: 'wr0ng-password' } as const
    const started = receive(store, kafka.broker, [linesOf('t', 'never')], { ...sasl('plain'), sasl: wrong })
    const error = await started.catch((failure: unknown) => failure)
    expect(error).toMatchObject({ code: 'kafka_refused', exit: 3 })
    expect(String(error)).toContain("refuses the user 'cinch'")
    expect(JSON.stringify([String(error), error])).not.toContain('wr0ng-password')
  }, 60_000)

  test('a broker of another authority, and a client without a certificate, are refused', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'cinch-authority-'))
    const other = readFileSync((await createAuthority(dir)).certificate, 'utf8')
    rmSync(dir, { recursive: true })
    const { ssl, mutualTls } = kafka.broker.ports
    for (const config of [
      { brokers: [`127.0.0.1:${ssl}`], tls: { authority: other } },
      { brokers: [`127.0.0.1:${ssl}`], tls: {} },
      { brokers: [`127.0.0.1:${mutualTls}`], tls: tls(['authority']) },
    ])
      await expect(receive(store, kafka.broker, [linesOf('t', 'never')], config)).rejects.toMatchObject({
        code: 'kafka_refused',
      })
  }, 60_000)

  test('without a registration nothing is read; a registration caps what its messages prove, and ends with its revocation', async () => {
    await kafka.createTopic('claims')
    const line = readFileSync(
      join(import.meta.dirname, '../../../services/collector/sources/istio-json/samples/recommended-callee.log'),
      'utf8',
    )
    const topic = { ...linesOf('claims', 'claims'), source: 'istio-json', sender: 'weak' }
    await send(kafka, 'claims', [line])
    const { receiver, notes } = await receive(store, kafka.broker, [topic])
    const senders = createSenders(store.store)
    expect(await until(() => notes.length, Boolean)).toBe(1)
    expect(notes[0]).toContain("no sender 'weak' is registered for istio-json")
    expect((await counted(store, 'claims')).facts).toBe(0)
    const registration = { id: 'weak', sources: ['istio-json'], cluster: '', workloads: [], spiffe: '' }
    await senders.register({ ...registration, evidence: 'claimed' })
    const facts = async () => (await counted(store, 'claims')).facts
    expect(await until(facts, Boolean)).toBeGreaterThan(0)
    const evidence = await store.rows(
      'SELECT DISTINCT sender, source_evidence FROM request WHERE cluster = {c:String}',
      {
        c: 'claims',
      },
    )
    expect(evidence).toEqual([{ sender: 'weak', source_evidence: 'claimed' }])
    const before = await facts()
    await senders.revoke('weak')
    await until(
      () => notes.length,
      (count) => count > 1,
      40_000,
    )
    await send(kafka, 'claims', [line])
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    expect(await facts()).toBe(before)
    await receiver.stop()
  }, 120_000)

  function sasl(mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'): Partial<KafkaConfig> {
    const { name: username, password } = kafka.broker.user
    return { brokers: [`127.0.0.1:${kafka.broker.ports.saslPlaintext}`], sasl: { mechanism, username, password } }
  }

  function tls(files: ('authority' | 'certificate' | 'key')[]) {
    return Object.fromEntries(files.map((file) => [file, readFileSync(kafka.broker.client[file], 'utf8')]))
  }
})
