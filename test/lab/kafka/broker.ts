import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAuthority, issueCertificate, type WorkloadCertificate } from '../certificates.ts'
import { type BrokerPorts, brokerProperties, loggingProperties, type SaslUser } from './broker-config.ts'
import { kafkaClassPath } from './setup.ts'

const READY_DEADLINE_MS = 60_000
const STOP_DEADLINE_MS = 15_000
/** Little memory and a quick start: the broker of a test serves a few clients. */
const JAVA = ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true']
const STARTED = 'Kafka Server started'

/** One running Kafka, broker and controller in one process, on loopback. Its data outlives `stop` and `kill`. */
export interface KafkaBroker {
  ports: BrokerPorts
  /** `127.0.0.1:port` of the plaintext listener. */
  bootstrap: string
  user: SaslUser
  /** A client's certificate, key and the authority of both sides (PEM files). */
  client: WorkloadCertificate
  /** Runs a tool of Kafka's own (a class with `main`), `input` on its standard input; its standard output. */
  tool(main: string, args: string[], input?: Buffer | string): string
  /** Processor time that it has used since it was started last, in seconds. */
  processorSeconds(): number
  /** Ends it as an operator does. */
  stop(): Promise<void>
  /** Ends it with SIGKILL. */
  kill(): Promise<void>
  /** Starts it again on the same data and ports, after `stop` or `kill`. */
  restart(): Promise<void>
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/**
 * Formats the storage below `dir`, starts Kafka in it, and waits until it serves.
 * @throws Error with the end of Kafka's own log when it ends, or is not ready in 60 s
 */
export async function startKafka({ dir }: { dir: string }): Promise<KafkaBroker> {
  const classPath = kafkaClassPath()
  if (!classPath) throw new Error('the lab has no Kafka: npm run lab:setup')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const [plaintext = 0, saslPlaintext = 0, ssl = 0, mutualTls = 0, controller = 0] = await freePorts(5)
  const ports = { plaintext, saslPlaintext, ssl, mutualTls, controller }
  const user = { name: 'cinch', password: `secret-${randomUUID()}` }
  const { tls, client } = await certificates(dir)
  const config = join(dir, 'server.properties')
  writeFileSync(config, brokerProperties(dir, ports, tls, user), { mode: 0o600 })
  const logging = join(dir, 'log4j2.properties')
  writeFileSync(logging, loggingProperties())
  const java = [...JAVA, `-Dlog4j2.configurationFile=${logging}`, '-cp', classPath]
  const tool = (main: string, args: string[], input: Buffer | string = '') => runTool(java, main, args, input)
  const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${user.name},password=${user.password}]`,
  ])
  tool('kafka.tools.StorageTool', ['format', '--cluster-id', clusterId(), '--config', config, ...scram])
  let broker = await launch(java, config, dir)
  return {
    ports,
    bootstrap: `127.0.0.1:${plaintext}`,
    user,
    client,
    tool,
    processorSeconds: () => processorSeconds(broker.child.pid),
    stop: () => end(broker, 'SIGTERM'),
    kill: () => end(broker, 'SIGKILL'),
    restart: async () => {
      broker = await launch(java, config, dir)
    },
  }
}

interface Launched {
  child: ChildProcess
  exited: Promise<void>
}

async function launch(java: string[], config: string, dir: string): Promise<Launched> {
  const logFile = join(dir, 'kafka.log')
  const before = existsSync(logFile) ? readFileSync(logFile).length : 0
  const log = openSync(logFile, 'a')
  const child = spawn('java', [...java, 'kafka.Kafka', config], { stdio: ['ignore', log, log] })
  closeSync(log)
  running.add(child)
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  }).then(() => void running.delete(child))
  const launched = { child, exited }
  const said = () => readFileSync(logFile).subarray(before).toString('utf8')
  const deadline = Date.now() + READY_DEADLINE_MS
  while (!said().includes(STARTED)) {
    if (child.exitCode !== null || child.pid === undefined || Date.now() > deadline) {
      await end(launched, 'SIGKILL')
      throw new Error(`Kafka did not start (${child.exitCode ?? 'not ready'})\n${said().slice(-3_000)}`)
    }
    await sleep(50)
  }
  return launched
}

async function end({ child, exited }: Launched, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  child.kill(signal)
  const kill = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
  await exited
  clearTimeout(kill)
}

/** Linux: fields 14 and 15 of a process' stat, in hundredths of a second (proc(5)). */
function processorSeconds(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function runTool(java: string[], main: string, args: string[], input: Buffer | string): string {
  const done = spawnSync('java', [...java, main, ...args], { input, encoding: 'utf8', timeout: 60_000 })
  if (done.status !== 0) throw new Error(`${main} ended with ${done.status}\n${done.stdout}${done.stderr}`)
  return done.stdout
}

/** Kafka's ids are 16 random bytes in URL-safe base64, not beginning with a dash. */
const clusterId = () => `c${Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url').slice(1, 22)}`

async function certificates(dir: string) {
  const authority = await createAuthority(join(dir, 'tls'))
  const names = ['IP:127.0.0.1', 'DNS:localhost']
  const server = await issueCertificate(join(dir, 'tls'), authority, 'cluster.local/ns/kafka/sa/broker', names)
  const client = await issueCertificate(join(dir, 'tls'), authority, 'cluster.local/ns/cinch/sa/collector')
  const keyStore = join(dir, 'tls', 'broker.pem')
  const pem = [server.key, server.certificate, authority.certificate].map((file) => readFileSync(file, 'utf8'))
  writeFileSync(keyStore, pem.join('\n'), { mode: 0o600 })
  return { tls: { keyStore, trustStore: authority.certificate }, client }
}

/** Ports that are free now; all are held until the last is known, so that no two are alike. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject)
          server.listen(0, '127.0.0.1', () => {
            const address = server.address()
            resolve(typeof address === 'object' && address ? address.port : 0)
          })
        }),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
