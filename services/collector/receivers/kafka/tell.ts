import type { Consumer } from '../kafka.ts'
import type { Ledger } from './ledger.ts'
import { type Place, placeName } from './positions.ts'

/**
 * Tells Kafka how far the store has the partitions of this member, for whoever watches the lag. Nothing goes by it here: a
 * member that fails to say it says it the next time, or the partition's next member does.
 */
export function createTeller(ledger: Ledger, note: (text: string) => void) {
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

export type Teller = ReturnType<typeof createTeller>

/** Whoever is no member any more, or not yet again. */
const isPassing = (error: unknown) =>
  error instanceof Error &&
  /not aware of this member|generation|rebalanc|not running|not initialized|disconnected|connect/i.test(error.message)
