import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Hold } from '../../collector/gather/budget.ts'
import { type Origin, operator } from '../../collector/origin.ts'
import { signalOf } from '../../collector/receivers/raw.ts'
import { readWriteRequest, WRITE_BYTES_MAX } from '../../collector/receivers/remote-write.ts'
import { findSource } from '../../collector/sources/index.ts'
import { CinchError } from '../../model/errors.ts'
import type { Cinch } from '../cinch.ts'
import { WriteQuery } from '../schemas.ts'
import { bearer } from '../token.ts'

const SOURCE = 'istio-metrics'

interface WriteRoute {
  Querystring: { cluster?: string }
}

/**
 * Prometheus remote write 1.0. Answers 204 when the samples are in the store; 400, 401 and 413 are not to be sent again, 429 and
 * 5xx are: Prometheus does so.
 */
export function remoteWriteRoutes(app: FastifyInstance, cinch: Cinch, isAdmin: (token: string) => boolean): void {
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    scope.post<WriteRoute>(
      '/api/v1/write',
      { schema: { summary: 'Prometheus remote write 1.0: request counters of the mesh', querystring: WriteQuery } },
      async (request, reply) => {
        const origin = await originOf(cinch, isAdmin, request)
        const hold = (await cinch.gatherer()).admit(origin.sender, signalOf(findSource(SOURCE)))
        const series = await readSeries(request, hold).catch((error: unknown) => {
          hold.release()
          throw error
        })
        if (series.length === 0) hold.release()
        else {
          const { accepted, rejected } = await cinch.ingestRequest(SOURCE, origin, series, hold)
          if (rejected > 0 && accepted === 0)
            throw new CinchError(
              'bad_file',
              `all ${rejected} samples were rejected`,
              `see why: cinch rejects -s ${SOURCE}`,
            )
        }
        return await reply.code(204).send()
      },
    )
  })
}

async function originOf(
  cinch: Cinch,
  isAdmin: (token: string) => boolean,
  request: FastifyRequest<WriteRoute>,
): Promise<Origin> {
  const token = bearer(request.headers.authorization)
  const origin = isAdmin(token) ? operator(request.query.cluster ?? '') : await cinch.senders.origin(token, SOURCE)
  if (origin) return origin
  throw new CinchError(
    'unauthorized',
    `this token may not send ${SOURCE}`,
    'register the sender for this source: cinch senders add; in Prometheus: remote_write.authorization.credentials_file',
  )
}

/** Memory is taken as the packed body comes in, and for the unpacked one before it is unpacked. */
async function readSeries(request: FastifyRequest, hold: Hold): Promise<Buffer> {
  const body = await readBody(request.raw, hold)
  return readWriteRequest(request.headers, body, (bytes) => hold.grow(bytes))
}

/** The packed body, within the bound that holds for the unpacked one: snappy adds little where it cannot save. */
async function readBody(raw: IncomingMessage, hold: Hold): Promise<Buffer> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of raw as AsyncIterable<Buffer>) {
    size += part.length
    if (size > WRITE_BYTES_MAX)
      throw new CinchError(
        'too_large',
        `the request has more than ${WRITE_BYTES_MAX} bytes`,
        'send less in one request',
      )
    hold.grow(part.length)
    parts.push(part)
  }
  return Buffer.concat(parts)
}
