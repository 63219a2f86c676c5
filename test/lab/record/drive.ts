import { type OutgoingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { Client, credentials } from '@grpc/grpc-js'

/** One request of the driver: by its name in the user agent it is found in every log. */
export interface Sent {
  name: string
  method: string
  /** As it goes on the wire. */
  path: string
  host: string
  headers?: OutgoingHttpHeaders
  body?: string
  upgrade?: boolean
}

export const USER_AGENT = 'cinch-record/'

/** Sends it to a listener and gives the status of the answer. */
export function sendHttp(to: { host: string; port: number; from?: string }, sent: Sent): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: to.host,
        port: to.port,
        localAddress: to.from,
        method: sent.method,
        path: sent.path,
        timeout: 10_000,
        agent: false,
        headers: {
          host: sent.host,
          'user-agent': `${USER_AGENT}${sent.name}`,
          ...(sent.upgrade && {
            connection: 'Upgrade',
            upgrade: 'websocket',
            'sec-websocket-version': '13',
            'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          }),
          ...sent.headers,
        },
      },
      (incoming) => {
        incoming.resume()
        incoming.on('end', () => resolve(incoming.statusCode ?? 0))
        incoming.on('error', reject)
      },
    )
    outgoing.on('upgrade', (answer, socket) => {
      socket.resume()
      socket.on('error', reject)
      socket.on('close', () => resolve(answer.statusCode ?? 0))
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer to ${sent.name}`)))
    outgoing.on('error', reject)
    outgoing.end(sent.body)
  })
}

/** A unary gRPC call over HTTP/2; gives the code of its status. */
export function callGrpc(to: { host: string; port: number }, authority: string, path: string): Promise<number> {
  const raw = (bytes: Buffer) => bytes
  const client = new Client(`${to.host}:${to.port}`, credentials.createInsecure(), {
    'grpc.default_authority': authority,
    'grpc.primary_user_agent': `${USER_AGENT}grpc`,
  })
  return new Promise((resolve) =>
    client.makeUnaryRequest(path, raw, raw, Buffer.alloc(0), (error) => {
      client.close()
      resolve(error ? error.code : 0)
    }),
  )
}

/** Opens a connection, says `words`, reads until as much came back or it was closed, and closes it. */
export function talkTcp(to: { host: string; port: number; from: string }, words: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = ''
    const socket = connect({ host: to.host, port: to.port, localAddress: to.from }, () => socket.write(words))
    socket.on('data', (bytes) => {
      heard += bytes
      if (heard.length >= words.length) socket.end()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(heard))
  })
}
