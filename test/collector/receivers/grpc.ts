import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'

const asIs = (bytes: Buffer) => bytes
export const EXPORT_TRACES = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'

/**
 * One call with one message, as an exporter makes it.
 * @throws ServiceError
 */
export async function call(
  address: string,
  message: Buffer,
  headers: Record<string, string> = {},
  channel: ChannelCredentials = credentials.createInsecure(),
  path = EXPORT_TRACES,
): Promise<Buffer> {
  const client = new Client(address, channel, { 'grpc.max_send_message_length': -1 })
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest(path, asIs, asIs, message, metadata, (error: ServiceError | null, answer?: Buffer) => {
        if (error) reject(error)
        else resolve(answer ?? Buffer.alloc(0))
      })
    })
  } finally {
    client.close()
  }
}
