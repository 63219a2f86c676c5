import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { OverloadedError } from '../../model/overloaded.ts'
import type { Cinch } from '../cinch.ts'

/** Pages that follow at the same time; each costs a connection, the question is asked once for all. */
const LISTENERS_MAX = 64
/** How often it is asked whether anything changed. */
const INTERVAL_MS = 2_000
/** Proxies close a connection on which nothing comes, mostly after 30 or 60 s. */
const HEARTBEAT_MS = 15_000
/** A listener that reads so slowly that this much waits for it is let go; it comes back and refreshes. */
const WAITING_BYTES_MAX = 1 << 20

/**
 * `GET /api/v1/graph/live`: server-sent events that say that the graph changed, and up to when. An event's id is the state that it
 * tells of; whoever comes back with `Last-Event-ID` hears at once whether it missed anything (`changed`), whoever comes for the
 * first time gets the state (`state`). The change itself is asked for with `/api/v1/graph`, whose answer is bounded.
 */
export function liveRoutes(app: FastifyInstance, cinch: Cinch): void {
  const listeners = new Set<ServerResponse>()
  let state: string | undefined
  let timer: NodeJS.Timeout | undefined
  let isAsking = false
  let lastSent = 0

  const write = (listener: ServerResponse, text: string) => {
    listener.write(text)
    if (listener.writableLength > WAITING_BYTES_MAX) listener.destroy()
  }
  const tell = (text: string) => {
    lastSent = performance.now()
    for (const listener of listeners) write(listener, text)
  }
  const ask = async () => {
    if (isAsking) return
    isAsking = true
    try {
      const found = await cinch.graphState()
      if (state !== undefined && found !== state) tell(eventOf('changed', found))
      else if (performance.now() - lastSent >= HEARTBEAT_MS) tell(': still here\n\n')
      state = found
    } catch (error) {
      app.log.error({ err: error }, 'the state of the graph cannot be asked for')
      for (const listener of listeners) listener.end()
    } finally {
      isAsking = false
    }
  }
  const leave = (listener: ServerResponse) => {
    listeners.delete(listener)
    if (listeners.size > 0) return
    clearInterval(timer)
    timer = undefined
    state = undefined
  }
  app.addHook('preClose', async () => {
    for (const listener of listeners) listener.end()
  })

  app.get(
    '/api/v1/graph/live',
    { schema: { summary: 'Says when the graph changed: server-sent events' } },
    async (request, reply) => {
      if (listeners.size >= LISTENERS_MAX)
        throw new OverloadedError('listeners', `${LISTENERS_MAX} pages follow already`, INTERVAL_MS)
      const now = state ?? (await cinch.graphState())
      state = now
      reply.hijack()
      const listener = reply.raw
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) listener.setHeader(name, value)
      listener.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      })
      const known = request.headers['last-event-id']
      write(
        listener,
        `retry: ${INTERVAL_MS}\n\n${eventOf(known === undefined || known === now ? 'state' : 'changed', now)}`,
      )
      listeners.add(listener)
      listener.on('close', () => leave(listener))
      timer ??= setInterval(() => void ask(), INTERVAL_MS)
    },
  )
}

/** The state is digits and dashes only, so it ends no line. */
const eventOf = (name: 'state' | 'changed', state: string) =>
  `id: ${state}\nevent: ${name}\ndata: ${JSON.stringify({ state })}\n\n`
