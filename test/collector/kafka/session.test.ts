import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { operator } from '../../../services/collector/origin.ts'
import { joinChunks } from '../../../services/collector/receivers/kafka/chunks.ts'
import { ledgerOf } from '../../../services/collector/receivers/kafka/ledger.ts'
import { type SessionParts, startSession } from '../../../services/collector/receivers/kafka/session.ts'
import type { ConsumerHandlers } from '../../../services/collector/receivers/kafka.ts'
import type { Store } from '../../../services/store/store.ts'
import { linesOf } from './topics.ts'

/** Longer than Kafka is left without word of how far the store is (`tell.ts`). */
const TOLD_WITHIN_MS = 2_500

test('a session whose consumer does not stop in order ends with all that it started: nobody tells of it any more', async () => {
  const done: string[] = []
  const consumer = {
    seek: () => void done.push('seek'),
    commit: async () => void done.push('commit'),
    pause: () => {
      throw new Error('the consumer has ended')
    },
    stop: async () => void done.push('stop'),
  }
  const store = { location: { kind: 'chdb' }, reads: { query: async () => ({ json: async () => [] }) } } as unknown
  const committer = { spool: () => Promise.reject(new Error('nothing is spooled here')), held: () => [] }
  const client = {
    topics: async () => [{ topic: 'a', id: 'i', partitions: new Map([[0, { low: 0, high: 10 }]]) }],
    consume: async (_: string[], handlers: ConsumerHandlers) => {
      handlers.assigned(consumer, [{ topic: 'a', partitions: [0] }])
      return consumer
    },
  }
  const session = await startSession({
    store,
    committer,
    client,
    config: { brokers: [], group: 'g', topics: [] },
    chunks: await joinChunks(committer, () => {}),
    feeds: [{ config: linesOf('a', ''), origin: operator() }],
    clusterId: 'c',
    signal: new AbortController().signal,
    note: () => {},
  } as unknown as SessionParts)
  await expect.poll(() => done).toEqual(['seek'])
  await expect(session.stop()).rejects.toThrow('the consumer has ended')
  expect(done).toEqual(['seek', 'stop'])
  ledgerOf(store as Store)
    .take('kafka:c/g/a/i.0/0', 0, 5)
    .stored()
  await sleep(TOLD_WITHIN_MS)
  expect(done).toEqual(['seek', 'stop'])
})
