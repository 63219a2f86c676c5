import { readFileSync } from 'node:fs'
import { Agent, type AgentOptions } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { WorkloadCertificate } from '../certificates.ts'
import type { Endpoint } from './parts.ts'

/** How connections of one kind are made, kept and closed together. */
export interface Connections {
  /** Of an application to its sidecar, as iptables would redirect it: the connection says where it wanted to go. */
  redirected(pod: string, sidecarPort: number, wanted: Endpoint): Agent
  /** Plain TCP from `from`. */
  plain(from: string): Agent
  /** A user's browser: TLS with the mesh's public authority. */
  browser(from: string, authority: string, host: string): TlsAgent
  /** A workload that speaks mutual TLS itself. */
  mutual(from: string, certificate: WorkloadCertificate, serverName: string): TlsAgent
  close(): void
}

const KEEP: AgentOptions = { keepAlive: true, maxSockets: 8 }

export function createConnections(): Connections {
  const agents = new Map<string, Agent>()
  const kept = <T extends Agent>(key: string, make: () => T): T => {
    const found = (agents.get(key) as T | undefined) ?? make()
    agents.set(key, found)
    return found
  }
  return {
    redirected: (pod, port, wanted) =>
      kept(`redirected ${pod} ${port} ${wanted.address} ${wanted.port}`, () => redirectedAgent(pod, port, wanted)),
    plain: (from) => kept(`plain ${from}`, () => new Agent({ ...KEEP, localAddress: from })),
    browser: (from, authority, host) =>
      kept(
        `browser ${from}`,
        () => new TlsAgent({ ...KEEP, localAddress: from, ca: readFileSync(authority), servername: host }),
      ),
    mutual: (from, { certificate, key }, servername) =>
      kept(`mutual ${from} ${servername}`, () => {
        const identity = { cert: readFileSync(certificate), key: readFileSync(key) }
        // The callee's certificate names no host; this caller is an intruder and does not care who answers.
        return new TlsAgent({ ...KEEP, ...identity, localAddress: from, servername, rejectUnauthorized: false })
      }),
    close: () => {
      for (const agent of agents.values()) agent.destroy()
    },
  }
}

type OnSocket = (error: Error | null, socket: Duplex) => void

function redirectedAgent(pod: string, port: number, wanted: Endpoint): Agent {
  const agent = new Agent(KEEP)
  agent.createConnection = (_options: unknown, done?: OnSocket) => {
    redirect(pod, port, wanted).then(
      (socket) => done?.(null, socket),
      (error: Error) => done?.(error, undefined as unknown as Duplex),
    )
    return undefined
  }
  return agent
}

/** A connection to a sidecar whose first line is the PROXY protocol's (version 1), with the real port of this end. */
export function redirect(pod: string, port: number, wanted: Endpoint): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: pod, port, localAddress: pod })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      socket.write(`PROXY TCP4 ${pod} ${wanted.address} ${socket.localPort} ${wanted.port}\r\n`)
      resolve(socket)
    })
  })
}

/** Where a client that cannot be given a socket (gRPC's) connects to, to be redirected. */
export async function startRedirector(pod: string, port: number, wanted: Endpoint): Promise<Server> {
  const server = createServer((client) => {
    client.on('error', () => client.destroy())
    redirect(pod, port, wanted).then(
      (sidecar) => {
        sidecar.on('error', () => client.destroy())
        client.on('close', () => sidecar.destroy())
        client.pipe(sidecar).pipe(client)
      },
      () => client.destroy(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}
