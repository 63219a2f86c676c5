import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readKafkaConfig } from '../../../services/collector/receivers/kafka/config.ts'

const dir = mkdtempSync(join(tmpdir(), 'cinch-kafka-config-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
for (const name of ['ca.pem', 'client.pem', 'client.key']) writeFileSync(join(dir, name), `${name}\n`)
writeFileSync(join(dir, 'password'), 'from-a-file\n')

function read(yaml: string, env: NodeJS.ProcessEnv = {}) {
  const path = join(dir, 'kafka.yaml')
  writeFileSync(path, yaml)
  return readKafkaConfig(path, env)
}

const TOPIC = 'topics: { access: { source: envoy-json, framing: lines, sender: mesh } }'
const LOCAL = 'brokers: ["127.0.0.1:9092"]'

test('all that can be said', () => {
  const yaml = `
brokers: [kafka-1:9093, kafka-2:9093]
group: team
tls: { authority: ca.pem, certificate: client.pem, key: client.key }
sasl: { mechanism: scram-sha-256, username: cinch, password_file: password }
topics:
  access: { source: istio-json, framing: lines, sender: mesh, cluster: west }
  otlp_spans: { source: otlp-traces, framing: otlp_proto, sender: collector }
`
  expect(read(yaml)).toEqual({
    brokers: ['kafka-1:9093', 'kafka-2:9093'],
    group: 'team',
    tls: { authority: 'ca.pem\n', certificate: 'client.pem\n', key: 'client.key\n' },
    sasl: { mechanism: 'scram-sha-256', username: 'cinch', password: 'from-a-file' },
    topics: [
      { topic: 'access', source: 'istio-json', framing: 'lines', sender: 'mesh', cluster: 'west' },
      { topic: 'otlp_spans', source: 'otlp-traces', framing: 'otlp_proto', sender: 'collector', cluster: '' },
    ],
  })
})

test('the least that must be said; an alias is its source, a password may come from the environment', () => {
  expect(read(`${LOCAL}\n${TOPIC}`)).toEqual({
    brokers: ['127.0.0.1:9092'],
    group: 'cinch',
    topics: [{ topic: 'access', source: 'istio-json', framing: 'lines', sender: 'mesh', cluster: '' }],
  })
  const sasl = 'sasl: { mechanism: plain, username: cinch, password_env: KAFKA_PASSWORD }'
  expect(read(`${LOCAL}\n${sasl}\n${TOPIC}`, { KAFKA_PASSWORD: 'p' }).sasl?.password).toBe('p')
})

test.each([
  ['', 'the file has no fields'],
  ['brokers: [', 'is no YAML'],
  [`brokers: []\n${TOPIC}`, 'no list of host:port'],
  [`brokers: [kafka]\n${TOPIC}`, 'no list of host:port'],
  [LOCAL, 'topics has no fields'],
  [`${LOCAL}\ntopics: {}`, 'topics is empty'],
  [`${LOCAL}\n${TOPIC}\nbroker: x`, "'broker', which means nothing"],
  [`${LOCAL}\n${TOPIC}\ngroup: a/b`, 'group is missing or no text'],
  [`${LOCAL}\ntopics: { "a b": { source: istio-json, framing: lines, sender: m } }`, "'a b' is no name of a topic"],
  [`${LOCAL}\ntopics: { a: { source: istio-json, framing: json, sender: m } }`, 'topic a has no framing'],
  [`${LOCAL}\ntopics: { a: { source: istio-json, framing: otlp_proto, sender: m } }`, 'does not come as otlp_proto'],
  [`${LOCAL}\ntopics: { a: { source: otlp-traces, framing: lines, sender: m } }`, 'does not come as lines'],
  [`${LOCAL}\ntopics: { a: { source: kubernetes-objects, framing: lines, sender: m } }`, 'does not come as lines'],
  [`${LOCAL}\ntopics: { a: { source: istio-json, framing: lines } }`, 'sender is missing'],
  [`${LOCAL}\n${TOPIC}\ntls: { certificate: client.pem }`, 'only one of certificate and key'],
  [`${LOCAL}\n${TOPIC}\nsasl: { mechanism: plain, username: u, password: p }`, 'has a password in the file'],
  [`${LOCAL}\n${TOPIC}\nsasl: { mechanism: gssapi, username: u, password_env: P }`, 'no mechanism that is known'],
  [`${LOCAL}\n${TOPIC}\nsasl: { mechanism: plain, username: u }`, 'needs one way to its password'],
  [`${LOCAL}\n${TOPIC}\nsasl: { mechanism: plain, username: u, password_env: ABSENT }`, 'the password is empty'],
  [
    `brokers: ["kafka:9092"]\n${TOPIC}\nsasl: { mechanism: plain, username: u, password_file: password }`,
    'would go to kafka:9092 without encryption',
  ],
])('refused: %j', (yaml, what) => {
  let error: unknown
  try {
    read(yaml)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toMatchObject({ code: 'bad_option', message: expect.stringContaining(what) })
})

test('a file that is not there is named, and so is an unknown source', () => {
  expect(() => readKafkaConfig(join(dir, 'none.yaml'))).toThrow(expect.objectContaining({ code: 'bad_file' }))
  const absent = `${LOCAL}\n${TOPIC}\ntls: { authority: none.pem }`
  expect(() => read(absent)).toThrow(expect.objectContaining({ code: 'bad_file' }))
  const unknown = `${LOCAL}\ntopics: { a: { source: nonsense, framing: lines, sender: m } }`
  expect(() => read(unknown)).toThrow(expect.objectContaining({ code: 'unknown_source' }))
})
