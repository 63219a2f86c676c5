import { Metadata, type ServerReadableStream, type ServiceDefinition, status } from '@grpc/grpc-js'
import { CinchError } from '../../model/errors.ts'
import { OverloadedError } from '../../model/overloaded.ts'
import type { Origin } from '../origin.ts'
import type { Source } from '../sources/index.ts'
import type { ReceiverContext } from './http.ts'
import { statusMessage } from './wire.ts'

/** A call whose messages are bytes. */
export type RawCall = ServerReadableStream<Buffer, Buffer>

/** An answer that is no success, as gRPC gives it. */
export interface GrpcFailure {
  code: status
  details: string
  metadata?: Metadata
}

/**
 * A service whose messages are bytes. Its methods take a stream of messages: on the wire that is what a single message is
 * too, and so nothing is read before the caller is known.
 */
export function rawService(paths: Record<string, string>): ServiceDefinition {
  const asIs = (bytes: Buffer) => bytes
  return Object.fromEntries(
    Object.entries(paths).map(([name, path]) => [
      name,
      {
        path,
        requestStream: true,
        responseStream: false,
        requestSerialize: asIs,
        requestDeserialize: asIs,
        responseSerialize: asIs,
        responseDeserialize: asIs,
      },
    ]),
  )
}

/**
 * On whose word a call's telemetry is taken.
 * @throws Refused `UNAUTHENTICATED` or `PERMISSION_DENIED`
 */
export async function originOf(
  context: ReceiverContext,
  call: RawCall,
  source: Source,
  receiver: string,
): Promise<Origin> {
  const caller = {
    authorization: call.metadata.get('authorization')[0]?.toString(),
    certificate: call.getAuthContext().sslPeerCertificate?.raw,
    address: call.getPeer().replace(/:\d+$/, ''),
  }
  const origin = await context.authenticate(caller, source.id)
  if (typeof origin !== 'string') return origin
  context.observe.rejected({ source: source.id, sender: 'unknown', receiver }, 1)
  throw new Refused(
    origin === 'unknown'
      ? { code: status.UNAUTHENTICATED, details: 'this sender is not registered, or showed nothing' }
      : { code: status.PERMISSION_DENIED, details: `this sender may not send ${source.id}` },
  )
}

class Refused extends Error {
  readonly failure: GrpcFailure

  constructor(failure: GrpcFailure) {
    super(failure.details)
    this.failure = failure
  }
}

/**
 * What an error is for the caller. Codes that are to be retried carry the delay as `RetryInfo` among their details, as the
 * OpenTelemetry protocol asks; RESOURCE_EXHAUSTED without it means "never".
 */
export function failureOf(error: unknown, context: ReceiverContext): GrpcFailure {
  if (error instanceof Refused) return error.failure
  if (error instanceof OverloadedError) {
    const code = error.bottleneck === 'quota' ? status.RESOURCE_EXHAUSTED : status.UNAVAILABLE
    const metadata = new Metadata()
    metadata.set('grpc-status-details-bin', statusMessage(code, error.message, error.retryAfterMs))
    return { code, details: error.message, metadata }
  }
  if (error instanceof CinchError) return { code: status.INVALID_ARGUMENT, details: error.message }
  if (error instanceof Error && /premature close|did not come in time|aborted/i.test(error.message))
    return { code: status.CANCELLED, details: 'the message did not come whole' }
  context.onFault(error)
  return { code: status.INTERNAL, details: 'this failed inside; the log of the collector says why' }
}
