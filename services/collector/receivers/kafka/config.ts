import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import { CinchError } from '../../../model/errors.ts'
import { findSource } from '../../sources/index.ts'
import { FRAMINGS, type MessageFraming } from './framing.ts'

/** One connection to a Kafka cluster, complete and checked. Holds the password: never to be printed. */
export interface KafkaConfig {
  brokers: string[]
  group: string
  tls?: KafkaTls
  sasl?: { mechanism: SaslMechanism; username: string; password: string }
  topics: TopicConfig[]
  /** How long the group waits for a member that is silent; the receiver's own where it is left out. */
  sessionTimeoutMs?: number
}

/** PEM texts. Without an authority, those that Node trusts. */
export interface KafkaTls {
  authority?: string
  certificate?: string
  key?: string
}

/** What the messages of a topic are, and on whose word they are taken. */
export interface TopicConfig {
  topic: string
  /** Id of a source. */
  source: string
  framing: MessageFraming
  /** Id of a registered sender. */
  sender: string
  /** The cluster of the reporters, where the sender's registration leaves it open. */
  cluster: string
}

const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const
export type SaslMechanism = (typeof MECHANISMS)[number]

const GROUP = 'cinch'
const NAME = /^[A-Za-z0-9._-]{1,249}$/
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/

type Fields = Record<string, unknown>

/**
 * Reads the configuration of a Kafka connection: YAML, relative paths against its own folder.
 *
 *     brokers: [kafka-1:9093]
 *     group: cinch
 *     tls: { authority: ca.pem, certificate: client.pem, key: client.key }   # or true
 *     sasl: { mechanism: scram-sha-256, username: cinch, password_file: password }   # or password_env: NAME
 *     topics:
 *       mesh-access: { source: istio-json, framing: lines, sender: mesh-kafka, cluster: west }
 *
 * @throws CinchError `bad_file` when a file cannot be read, `bad_option` for anything that cannot be meant
 */
export function readKafkaConfig(path: string, env: NodeJS.ProcessEnv = process.env): KafkaConfig {
  const folder = dirname(resolve(path))
  const read = (file: string) => readText(resolve(folder, file))
  const fields = asFields(parseYaml(readText(path), path), 'the file')
  known(fields, ['brokers', 'group', 'tls', 'sasl', 'topics'], 'the file')
  const config: KafkaConfig = {
    brokers: brokersOf(fields['brokers']),
    group: fields['group'] === undefined ? GROUP : text(fields, 'group', NAME),
    topics: topicsOf(fields['topics']),
  }
  const tls = tlsOf(fields['tls'], read)
  if (tls) config.tls = tls
  const sasl = saslOf(fields['sasl'], read, env)
  if (sasl) config.sasl = sasl
  const remote = config.brokers.find((broker) => !LOOPBACK.test(broker.replace(/:\d+$/, '')))
  if (sasl && !tls && remote)
    throw wrong(`the password would go to ${remote} without encryption`, 'add tls, or use a broker on loopback')
  return config
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    throw new CinchError('bad_file', `cannot read ${path}: ${code}`, 'give a file that you may read', { cause })
  }
}

function parseYaml(content: string, path: string): unknown {
  try {
    return parse(content)
  } catch (cause) {
    throw wrong(
      `${path} is no YAML: ${cause instanceof Error ? cause.message.split('\n')[0] : cause}`,
      'mend it',
      cause,
    )
  }
}

function brokersOf(value: unknown): string[] {
  const brokers = Array.isArray(value) ? value : []
  if (brokers.length === 0 || !brokers.every((broker) => typeof broker === 'string' && /^[^\s/]+:\d+$/.test(broker)))
    throw wrong('brokers is no list of host:port', 'give for instance brokers: [kafka-1:9093]')
  return brokers.map(String)
}

function topicsOf(value: unknown): TopicConfig[] {
  const topics = Object.entries(asFields(value, 'topics')).map(([topic, given]) => {
    if (!NAME.test(topic)) throw wrong(`'${topic}' is no name of a topic`, 'use letters, digits, dots, _ and -')
    const fields = asFields(given, `topic ${topic}`)
    known(fields, ['source', 'framing', 'sender', 'cluster'], `topic ${topic}`)
    const source = findSource(text(fields, 'source'))
    const framing = FRAMINGS.find((name) => name === fields['framing'])
    if (!framing) throw wrong(`topic ${topic} has no framing`, `give one of ${FRAMINGS.join(', ')}`)
    if (source.kind === 'objects' || (source.kind === 'lines') !== (framing === 'lines'))
      throw wrong(
        `${source.id} does not come as ${framing}`,
        source.kind === 'lines' ? 'give framing: lines' : 'give another source, or framing: otlp_proto or otlp_json',
      )
    const cluster = fields['cluster'] === undefined ? '' : text(fields, 'cluster')
    return { topic, source: source.id, framing, sender: text(fields, 'sender'), cluster }
  })
  if (topics.length === 0) throw wrong('topics is empty', 'name at least one topic')
  return topics
}

function tlsOf(value: unknown, read: (file: string) => string): KafkaTls | undefined {
  if (value === undefined || value === false) return undefined
  if (value === true) return {}
  const fields = asFields(value, 'tls')
  known(fields, ['authority', 'certificate', 'key'], 'tls')
  if ((fields['certificate'] === undefined) !== (fields['key'] === undefined))
    throw wrong('tls has only one of certificate and key', 'give both, or none')
  const given = Object.keys(fields).map((name) => [name, read(text(fields, name))] as const)
  return Object.fromEntries(given)
}

function saslOf(value: unknown, read: (file: string) => string, env: NodeJS.ProcessEnv): KafkaConfig['sasl'] {
  if (value === undefined) return undefined
  const fields = asFields(value, 'sasl')
  if (fields['password'] !== undefined)
    throw wrong('sasl has a password in the file', 'give password_file or password_env')
  known(fields, ['mechanism', 'username', 'password_file', 'password_env'], 'sasl')
  const mechanism = MECHANISMS.find((name) => name === fields['mechanism'])
  if (!mechanism) throw wrong('sasl has no mechanism that is known', `give one of ${MECHANISMS.join(', ')}`)
  if ((fields['password_file'] === undefined) === (fields['password_env'] === undefined))
    throw wrong('sasl needs one way to its password', 'give either password_file or password_env')
  const inFile = fields['password_file'] !== undefined
  const password = inFile ? read(text(fields, 'password_file')).trimEnd() : env[text(fields, 'password_env')]
  if (!password) throw wrong('the password is empty', inFile ? 'write it to password_file' : 'set the variable')
  return { mechanism, username: text(fields, 'username'), password }
}

function asFields(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(`${what} has no fields`, 'see the README of Kafka for an example')
  return value as Fields
}

function known(fields: Fields, names: string[], what: string): void {
  const unknown = Object.keys(fields).find((name) => !names.includes(name))
  if (unknown !== undefined) throw wrong(`${what} has '${unknown}', which means nothing`, `give ${names.join(', ')}`)
}

function text(fields: Fields, name: string, pattern = /./): string {
  const value = fields[name]
  if (typeof value !== 'string' || !pattern.test(value)) throw wrong(`${name} is missing or no text`, `give ${name}`)
  return value
}

function wrong(what: string, next: string, cause?: unknown): CinchError {
  return new CinchError('bad_option', `Kafka's configuration: ${what}`, next, { cause })
}
