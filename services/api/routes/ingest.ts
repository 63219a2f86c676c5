import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { IngestResult } from '../../collector/ingest.ts'
import { inputOf } from '../../collector/input/input.ts'
import { operator } from '../../collector/origin.ts'
import { REQUEST_BYTES_MAX, readBody, tooLarge } from '../../collector/receivers/body.ts'
import { signalOf } from '../../collector/receivers/raw.ts'
import { findSource } from '../../collector/sources/index.ts'
import { CinchError } from '../../model/errors.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Cinch } from '../cinch.ts'
import { IngestParams, IngestQuery, SenderBody } from '../schemas.ts'
import { bearer } from '../token.ts'

interface IngestRoute {
  Params: { source: string }
  Querystring: { cluster?: string; file?: '0' | '1' }
}

/**
 * Raw lines and files in, and the senders that may write them. A sender's token opens its own sources only; the admin token
 * is the operator's word.
 */
export function ingestRoutes(app: FastifyInstance, cinch: Cinch, isAdmin: (token: string) => boolean): void {
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    // The bytes are the engine's to parse: whatever type they claim, they are passed on as they come.
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    scope.post<IngestRoute>(
      '/ingest/:source',
      {
        schema: {
          summary: 'Telemetry of a source: lines, OTLP or Kubernetes objects; plain, gzip or zstd',
          params: IngestParams,
          querystring: IngestQuery,
        },
      },
      async (request, reply) => {
        try {
          return await take(cinch, isAdmin, request)
        } catch (error) {
          if (!(await drained(request.raw))) reply.header('connection', 'close')
          throw error
        }
      },
    )
  })
  senderRoutes(app, cinch)
}

async function take(
  cinch: Cinch,
  isAdmin: (token: string) => boolean,
  request: FastifyRequest<IngestRoute>,
): Promise<IngestResult> {
  const { source } = request.params
  const body = (request.body ?? Readable.from([])) as Readable
  const token = bearer(request.headers.authorization)
  const cluster = request.query.cluster ?? ''
  if (isAdmin(token) && request.query.file === '1')
    return await cinch.ingest(source, cluster, await inputOf('the request', body, 0))
  const origin = isAdmin(token) ? operator(cluster) : await cinch.senders.origin(token, source)
  if (!origin)
    throw new CinchError(
      'unauthorized',
      `this token may not send ${source}`,
      'register the sender for this source: cinch senders add',
    )
  const hold = (await cinch.gatherer()).admit(origin.sender, signalOf(findSource(source)))
  if (Number(request.headers['content-length'] ?? 0) > REQUEST_BYTES_MAX) throw tooLarge()
  // Packed or not is told by the first bytes: senders of files name no encoding.
  const bytes = await readBody(body, undefined, hold).catch((error: unknown) => {
    hold.release()
    throw error
  })
  return await cinch.ingestRequest(source, origin, bytes, hold)
}

const DRAIN_MS = 2000

/**
 * Reads away what is left of a body that was refused half-way: else the connection, which the sender uses again, stands
 * still for ever. Node does so by itself only where nothing was read.
 * @returns false when more kept coming: the connection is to be closed
 */
async function drained(raw: IncomingMessage): Promise<boolean> {
  if (raw.readableEnded || !raw.readableDidRead) return true
  const ended = new Promise<boolean>((resolve) => {
    raw.once('close', () => resolve(true)).once('end', () => resolve(true))
    setTimeout(() => resolve(false), DRAIN_MS).unref()
  })
  // The reader that gave up still listens, and holds the stream.
  raw.removeAllListeners('readable')
  raw.resume()
  return await ended
}

function senderRoutes(app: FastifyInstance, cinch: Cinch): void {
  interface SenderRequest {
    id: string
    sources: string[]
    cluster?: string
    workloads?: string[]
    evidence?: Evidence
    spiffe?: string
  }
  app.get('/api/v1/senders', { schema: { summary: 'Registered senders' } }, async () => ({
    senders: await cinch.senders.list(),
  }))
  app.post<{ Body: SenderRequest }>(
    '/api/v1/senders',
    { schema: { summary: 'Registers a sender; its token is shown this once', body: SenderBody } },
    async ({ body }) => ({
      id: body.id,
      token: await cinch.senders.register({ cluster: '', workloads: [], evidence: 'verified', ...body }),
    }),
  )
  app.delete<{ Params: { id: string } }>(
    '/api/v1/senders/:id',
    { schema: { summary: 'Revokes a sender' } },
    async ({ params }, reply) => {
      await cinch.senders.revoke(params.id)
      return await reply.code(204).send()
    },
  )
}
