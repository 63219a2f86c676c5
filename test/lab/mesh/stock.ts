import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Client,
  credentials,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js'

/** Messages of the stream, and the time between them: longer in all than Envoy's periodic log. */
export const WATCH_MESSAGES = 4
const WATCH_INTERVAL_MS = 150

const bytes = (value: Buffer) => value
const method = (name: string, responseStream: boolean) => ({
  path: `/stock.v1.Stock/${name}`,
  requestStream: false,
  responseStream,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
})
const SERVICE = {
  Check: method('Check', false),
  Reserve: method('Reserve', false),
  Watch: method('Watch', true),
} satisfies ServiceDefinition

export type StockMethod = keyof typeof SERVICE
export const stockPath = (name: StockMethod) => SERVICE[name].path

/** The gRPC service. `received` hears of every call, with its metadata, before it is answered. */
export async function startStock(
  address: string,
  port: number,
  received: (path: string, headers: Record<string, unknown>) => void,
): Promise<() => void> {
  const server = new Server()
  const unary =
    (name: StockMethod): handleUnaryCall<Buffer, Buffer> =>
    (call, done) => {
      received(stockPath(name), call.metadata.getMap())
      done(null, Buffer.from('ok'))
    }
  const watch: handleServerStreamingCall<Buffer, Buffer> = async (call) => {
    received(stockPath('Watch'), call.metadata.getMap())
    for (let sent = 0; sent < WATCH_MESSAGES; sent++) {
      call.write(Buffer.from(`level ${sent}`))
      await sleep(WATCH_INTERVAL_MS)
    }
    call.end()
  }
  server.addService(SERVICE, { Check: unary('Check'), Reserve: unary('Reserve'), Watch: watch })
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`${address}:${port}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  )
  return () => server.forceShutdown()
}

const StockClient = makeGenericClientConstructor(SERVICE, 'Stock')

/** A client that sends to `target` and names `authority`. */
export const stockClient = (target: string, authority: string): Client =>
  new StockClient(target, credentials.createInsecure(), { 'grpc.default_authority': authority })

/** One call; resolves with gRPC's status code (0 is OK) when it is over, streams included. */
export function callStock(client: Client, name: StockMethod, headers: Record<string, string>): Promise<number> {
  const metadata = new Metadata()
  for (const [key, value] of Object.entries(headers)) metadata.set(key, value)
  const body = Buffer.from('item')
  return new Promise((resolve) => {
    const done = (error: ServiceError | null) => resolve(error?.code ?? 0)
    if (!SERVICE[name].responseStream) {
      client.makeUnaryRequest(stockPath(name), bytes, bytes, body, metadata, done)
      return
    }
    const stream = client.makeServerStreamRequest(stockPath(name), bytes, bytes, body, metadata)
    stream.resume()
    stream.on('error', done)
    stream.on('end', () => done(null))
  })
}
