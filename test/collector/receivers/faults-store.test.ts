import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ServiceError, status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { startTestServer } from '../../store/start-server.ts'
import { scratch } from '../../support/cli.ts'
import { cable } from './cable.ts'
import { call } from './grpc.ts'
import { request, traceRequest } from './requests.ts'
import { openReceivers } from './support.ts'

describe('a sender over its quota', () => {
  test('is told to wait with 429 and RESOURCE_EXHAUSTED, with a delay; others go on, and it may come again', async () => {
    // The clock goes as it does, and is put forward: nobody waits for a debt that is paid by the second.
    let aheadMs = 0
    const now = () => performance.now() + aheadMs
    const small = await openReceivers('quota', { quotaBytesPerSecond: 100, answerWithinMs: 60_000, now })
    try {
      const headers = { authorization: `Bearer ${await small.register('loud', ['otlp-traces'])}` }
      const quiet = { authorization: `Bearer ${await small.register('quiet', ['otlp-traces'])}` }
      const url = `${small.http}/v1/traces`
      expect((await request(url, traceRequest('q0', 100), headers)).status).toBe(200)
      const over = await request(url, traceRequest('q1', 1), headers)
      expect(over.status).toBe(429)
      const seconds = Number(over.headers['retry-after'])
      expect(seconds).toBeGreaterThan(0)
      const failed = await call(small.grpc, traceRequest('q1', 1), headers).catch((error: ServiceError) => error)
      expect(failed).toMatchObject({ code: status.RESOURCE_EXHAUSTED })
      const details = (failed as ServiceError).metadata.get('grpc-status-details-bin')[0]
      expect(Buffer.from(details as Buffer).toString('latin1')).toContain('google.rpc.RetryInfo')
      expect((await request(url, traceRequest('q2', 1), quiet)).status).toBe(200)
      expect(small.counted.get('delayed otlp_http loud')).toBe(1)
      aheadMs = seconds * 1000
      expect((await request(url, traceRequest('q1', 1), headers)).status).toBe(200)
      expect(await small.spans('loud')).toMatchObject({ spans: 101 })
    } finally {
      await small.close()
    }
  }, 60_000)
})

describe('a store that is away for a while', () => {
  test('senders are told to come again, memory and spool keep their bounds, and everything is stored once', async () => {
    const room = scratch('away')
    const home = process.cwd()
    process.chdir(room.dir)
    const server = await startTestServer(room.path('server'))
    const line = await cable(server.url)
    const bounds = { waitingBytesMax: 1 << 20, spoolBytesMax: 1 << 20, answerWithinMs: 1000, commitBytes: 256 << 10 }
    const receivers = await openReceivers('away', bounds, {}, line.url)
    let isOver = false
    let workers: Promise<void>[] = []
    try {
      const headers = { authorization: `Bearer ${await receivers.register('shop', ['otlp-traces'])}` }
      const statuses = new Map<number, number>()
      let sent = 0
      const most = { waiting: 0, spooled: 0 }
      const worker = async () => {
        while (!isOver) {
          const body = traceRequest(`away ${sent++}`, 500)
          for (;;) {
            const answer = await request(`${receivers.http}/v1/traces`, body, headers)
            statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
            const { waitingBytes, spooledBytes } = receivers.gatherer.state()
            most.waiting = Math.max(most.waiting, waitingBytes)
            most.spooled = Math.max(most.spooled, spooledBytes)
            if (answer.status === 200) break
            expect(answer.status).toBe(503)
            expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
            await sleep(100)
          }
        }
      }
      workers = Array.from({ length: 60 }, worker)
      await expect.poll(() => statuses.get(200) ?? 0, { timeout: 30_000 }).toBeGreaterThan(60)
      line.pull()
      await expect.poll(() => receivers.gatherer.state().isStalled, { timeout: 10_000 }).toBe(true)
      // What was stored before, and whose sender was told to come again, is answered yet; nothing else is.
      await sleep(3000)
      const stored = statuses.get(200)
      await sleep(4000)
      expect(statuses.get(200)).toBe(stored)
      expect(statuses.get(503)).toBeGreaterThan(10)
      await line.putIn()
      await expect.poll(() => statuses.get(200), { timeout: 30_000 }).toBeGreaterThan((stored ?? 0) + 60)
      isOver = true
      await Promise.all(workers)
      expect(await receivers.spans('shop')).toEqual({ spans: sent * 500, accepted: sent * 500, rejected: 0 })
      expect(most.waiting).toBeLessThanOrEqual(bounds.waitingBytesMax)
      expect(most.spooled).toBeGreaterThan(bounds.spoolBytesMax / 2)
      expect(most.spooled).toBeLessThanOrEqual(bounds.spoolBytesMax)
      await expect.poll(() => receivers.gatherer.state().spooledChunks, { timeout: 10_000 }).toBe(0)
      expect(receivers.gatherer.state()).toMatchObject({ waitingBytes: 0, spooledBytes: 0, isStalled: false })
      expect(receivers.spooled()).toEqual([])
      expect(receivers.notes[0]).toMatch(/does not take telemetry/)
      expect(receivers.notes.at(-1)).toMatch(/takes telemetry again/)
    } finally {
      isOver = true
      await Promise.allSettled(workers)
      await receivers.close()
      line.close()
      await server.stop()
      process.chdir(home)
      room.close()
    }
  }, 180_000)
})

describe.skipIf(process.getuid?.() !== 0)('a spool on a full disk (a small tmpfs: root only)', () => {
  test('senders are told to come again, what fits goes on, and nothing of what did not stays', async () => {
    const receivers = await openReceivers('full', { answerWithinMs: 60_000 })
    const spool = join(receivers.store.dataDir, 'spool')
    mkdirSync(spool, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', spool])
    let isMounted = true
    try {
      const headers = { authorization: `Bearer ${await receivers.register('shop', ['otlp-traces'])}` }
      const send = (body: Buffer) => request(`${receivers.http}/v1/traces`, body, headers)
      const large = traceRequest('large', 30_000)
      expect(large.length).toBeGreaterThan(1 << 20)
      const full = await send(large)
      expect(full.status).toBe(503)
      expect(Number(full.headers['retry-after'])).toBeGreaterThan(0)
      expect(receivers.spooled()).toEqual([])
      expect((await send(traceRequest('small', 10))).status).toBe(200)
      expect((await send(large)).status).toBe(503)
      expect(receivers.notes.join()).toContain('ENOSPC')
      execFileSync('umount', [spool])
      isMounted = false
      expect((await send(large)).status).toBe(200)
      expect(await receivers.spans('shop')).toEqual({ spans: 30_010, accepted: 30_010, rejected: 0 })
      expect(receivers.gatherer.state()).toEqual({
        waitingBytes: 0,
        spooledBytes: 0,
        spooledChunks: 0,
        isStalled: false,
      })
    } finally {
      if (isMounted) execFileSync('umount', [spool])
      await receivers.close()
    }
  }, 90_000)
})
