import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer } from '../kafka.ts'
import type { Ledger } from './ledger.ts'
import { type Place, placeName } from './positions.ts'

/** So often Kafka is told how far the store is, */
const TELL_EVERY_MS = 1_000
/** and so long the last time is waited for. */
const LAST_TELL_MS = 3_000

/**
 * Tells Kafka how far the store has the partitions of this member, for whoever watches the lag. Nothing goes by it here: a
 * member that fails to say it says it the next time, or the partition's next member does.
 * @param places those that the member has now
 */
export function startTelling(
  ledger: Ledger,
  consumer: Consumer,
  places: () => Promise<Map<string, Place> | undefined>,
  note: (text: string) => void,
): { end(): Promise<void> } {
  const over = new AbortController()
  const tell = createTeller(ledger, note)
  // Places that are not found end the session, which says why.
  const tellNow = async () => await tell(consumer, (await places().catch(() => undefined))?.values() ?? [])
  const telling = (async () => {
    while (!over.signal.aborted) {
      await sleep(TELL_EVERY_MS, undefined, { signal: over.signal }).catch(() => {})
      await tellNow()
    }
  })()
  return {
    /** Tells it once more. */
    end: async () => {
      over.abort()
      await Promise.race([telling, sleep(LAST_TELL_MS)])
    },
  }
}

function createTeller(ledger: Ledger, note: (text: string) => void) {
  const told = new Map<string, number>()
  let noted = ''
  return async (consumer: Consumer, places: Iterable<Place>): Promise<void> => {
    const offsets = [...places].flatMap(({ topic, partition, key }) => {
      const next = ledger.stored(key)
      return next === undefined || next === told.get(placeName(topic, partition)) ? [] : [{ topic, partition, next }]
    })
    if (offsets.length === 0) return
    try {
      await consumer.commit(offsets)
      for (const { topic, partition, next } of offsets) told.set(placeName(topic, partition), next)
    } catch (error) {
      const text = `Kafka: its offsets are behind the store: ${String(error)}`
      if (!isPassing(error) && text !== noted) note(text)
      noted = text
    }
  }
}

/** Whoever is no member any more, or not yet again. */
const isPassing = (error: unknown) =>
  error instanceof Error &&
  /not aware of this member|generation|rebalanc|not running|not initialized|disconnected|connect/i.test(error.message)
