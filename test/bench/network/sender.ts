import { setTimeout as sleep } from 'node:timers/promises'
import { type Body, bodiesOf, type Load } from './bodies.ts'
import { type Connection, connectTo, type Target } from './clients.ts'

/**
 * The sender of the benchmark, a process of its own: makes all bodies ahead, says that it is ready, and sends them when it is
 * told where to. Each connection waits for its answer before it sends again; what is refused for now is sent again.
 */
export interface Order extends Load {
  connections: number
  /** True: sends at `perSecond`, however late the answers are. False: as fast as it is answered. */
  isPaced: boolean
}

export interface Sent {
  records: number
  seconds: number
  /** Processor time of this process while it sent. */
  cpuSeconds: number
  /** Requests that were refused for now, and sent again. */
  again: number
  /** From sending to the answer, milliseconds, by request; not known of streams. */
  answers: number[]
}

/** Told when a marked body is sent; milliseconds since 1970. */
export interface Marked {
  mark: string
  atMs: number
}

/** Nothing is sent for longer than this. */
const SECONDS_MAX = 90
const AGAIN_AFTER_MS = 200

const order = JSON.parse(process.argv[2] ?? '{}') as Order
const bodies = bodiesOf(order)
process.once('message', (target: Target) => {
  send(target).then(
    (sent) => process.send?.(sent, () => process.disconnect()),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
process.send?.('ready')

async function send(target: Target): Promise<Sent> {
  const connections = Array.from({ length: order.connections }, () => connectTo(order.way, target))
  const queues = queuesOf(connections.length)
  const sent: Sent = { records: 0, seconds: 0, cpuSeconds: 0, again: 0, answers: [] }
  const cpu = process.cpuUsage()
  const started = performance.now()
  await Promise.all(
    connections.map(async (connection, index) => {
      for (let body = queues[index]?.(); body; body = queues[index]?.()) await one(connection, body, started, sent)
      await connection.end()
    }),
  )
  sent.seconds = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(cpu)
  sent.cpuSeconds = (user + system) / 1e6
  return sent
}

/** A stream's messages belong together, the first says who sends; requests go to whichever connection is free. */
function queuesOf(count: number): (() => Body | undefined)[] {
  if (order.way !== 'als') {
    let next = 0
    return Array.from({ length: count }, () => () => bodies[next++])
  }
  return Array.from({ length: count }, (_, index) => {
    const share = Math.ceil(bodies.length / count)
    const own = bodies.slice(index * share, (index + 1) * share)
    return () => own.shift()
  })
}

async function one(connection: Connection, body: Body, started: number, sent: Sent): Promise<void> {
  if (order.isPaced) {
    const dueMs = (sent.records * 1000) / order.perSecond - (performance.now() - started)
    sent.records += body.records
    if (dueMs > 0) await sleep(dueMs)
  } else sent.records += body.records
  const at = performance.now()
  if (body.mark) process.send?.({ mark: body.mark, atMs: performance.timeOrigin + at } satisfies Marked)
  while (!(await connection.send(body))) {
    sent.again++
    if (performance.now() - started > SECONDS_MAX * 1000) throw new Error('the receiver does not take it')
    await sleep(AGAIN_AFTER_MS)
  }
  if (order.way !== 'als') sent.answers.push(performance.now() - at)
}
