import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { openStore, query } from '../../../services/store/store.ts'
import type { Way } from './bodies.ts'
import type { Target } from './clients.ts'
import type { Marked, Order, Sent } from './sender.ts'
import { type Served, serve, type Usage } from './served.ts'

/** What a load came to, checked against the store. */
export interface Measured {
  perSecond: number
  sent: Sent
  /** Processor time of the service while it received. */
  usage: Usage
}

/** Starts a sender that makes its load; resolves when it is ready. */
export async function startSender(order: Order): Promise<(target: Target, onMark?: OnMark) => Promise<Sent>> {
  const child = fork(join(import.meta.dirname, 'sender.ts'), [JSON.stringify(order)])
  await told(child, (message) => message === 'ready')
  return async (target, onMark = () => {}) => {
    child.send(target)
    const isSent = (message: unknown) => {
      const isMark = typeof message === 'object' && message !== null && 'mark' in message
      if (isMark) onMark(message as Marked)
      return !isMark
    }
    return (await told(child, isSent)) as Sent
  }
}

type OnMark = (marked: Marked) => void

/** The first message of the sender that is waited for. */
async function told(child: ChildProcess, isIt: (message: unknown) => boolean): Promise<unknown> {
  return await new Promise((resolve, reject) => {
    const gone = (code: number | null) => reject(new Error(`the sender ended with ${code}`))
    const look = (message: unknown) => {
      if (!isIt(message)) return
      child.off('exit', gone).off('message', look)
      resolve(message)
    }
    child.once('exit', gone).on('message', look)
  })
}

/** Sends a load to a service of its own, and sees that the store has every record once. */
export async function measure(dir: string, order: Order): Promise<Measured> {
  const path = mkdtempSync(join(dir, 'network-'))
  try {
    const send = await startSender(order)
    const served = await serve(path)
    const before = served.usage()
    const sent = await send(served)
    const usage = since(before, served)
    await served.stop()
    await checkStored(path, order.way, sent.records)
    return { perSecond: sent.records / sent.seconds, sent, usage }
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
}

export function since(before: Usage, served: Served): Usage {
  const after = served.usage()
  return {
    total: after.total - before.total,
    events: after.events - before.events,
    pool: after.pool - before.pool,
    engine: after.engine - before.engine,
    peakBytes: after.peakBytes,
  }
}

/** @throws Error when records are missing, or were counted twice, or were rejected */
export async function checkStored(path: string, way: Way, records: number): Promise<void> {
  const store = await openStore({ kind: 'chdb', dir: path })
  try {
    const isSpans = way === 'otlp_http' || way === 'otlp_grpc'
    const counts = await query<Record<string, number>>(
      store.reads,
      isSpans
        ? 'SELECT count() AS stored, uniqExact(span_key) AS different, (SELECT sum(spans) FROM span_minute) AS counted FROM span'
        : `SELECT count() AS stored, uniqExact(path, trace_id, span_id) AS different, (SELECT sum(requests) FROM operation_usage) AS counted FROM request`,
    )
    const [rejected] = await query<{ n: number }>(store.reads, 'SELECT sum(rejected) AS n FROM ingest_batch')
    const found = { ...counts[0], rejected: rejected?.n }
    const expected = { stored: records, different: records, counted: records, rejected: 0 }
    if (JSON.stringify(found) !== JSON.stringify(expected))
      throw new Error(`${records} records of ${way} were acknowledged, and the store has ${JSON.stringify(found)}`)
  } finally {
    await store.close()
  }
}
