import { type FilePosition, positionsNamed } from '../../../store/queries/files.ts'
import type { Store } from '../../../store/store.ts'
import type { Assigned, Topic } from '../kafka.ts'
import type { Ledger } from './ledger.ts'

/**
 * Where a partition is read from. What the store holds decides, not the offsets that Kafka keeps: those are told to Kafka
 * after the insert, for whoever watches the lag.
 */
export interface Place {
  topic: string
  partition: number
  /** The topic's id when the place was looked up. */
  id: string
  /** Name of the position in the store. */
  key: string
  /** Where reading begins. */
  start: number
}

export const placeName = (topic: string, partition: number) => `${topic}/${partition}`

/** Partitions as they were assigned, with the position of each as it was before the ends of the logs were asked for. */
export type Known = Map<string, FilePosition[]>

/** The positions of these topics: stored, held by chunks that wait in the spool, and taken by receivers of this process. */
export async function knownPositions(
  store: Store,
  ledger: Ledger,
  held: FilePosition[],
  group: string,
  assigned: Assigned[],
): Promise<Known> {
  const known: Known = new Map()
  for (const { topic } of assigned) {
    const prefix = `kafka:${group}/${topic}/`
    const stored = await positionsNamed(store.reads, prefix)
    for (const { file, end } of stored) ledger.found(file, end)
    const taken = ledger.keys(prefix).map((file) => ({ file, beginning: 0, end: ledger.taken(file) ?? 0 }))
    known.set(topic, [...stored, ...held.filter(({ file }) => file.startsWith(prefix)), ...taken])
  }
  return known
}

/**
 * Where to read the partitions of a topic from. A position is kept by the topic's id, so a topic that was deleted and made
 * anew begins at its beginning. A log that ends before its position was cut, or, where there are no ids, made anew: it
 * begins a new life, under the next number.
 * @param group cluster and consumer group
 * @param known read before `topic` was asked for: a log that grows meanwhile is never taken for a cut one
 */
export function placesOf(
  group: string,
  topic: Topic,
  partitions: number[],
  known: FilePosition[],
): { places: Place[]; notes: string[] } {
  const notes: string[] = []
  const places = partitions.flatMap((partition): Place[] => {
    const log = topic.partitions.get(partition)
    if (!log) return []
    const name = (life: number) => `kafka:${group}/${topic.topic}/${topic.id || '-'}.${life}/${partition}`
    const lives = known
      .map(({ file, end }) => ({ life: lifeOf(file, name), end }))
      .filter(({ life }) => life !== undefined)
      .sort((a, b) => (a.life ?? 0) - (b.life ?? 0) || a.end - b.end)
    const last = lives.at(-1)
    const life = last?.life ?? 0
    const place = { topic: topic.topic, partition, id: topic.id }
    if (!last) return [{ ...place, key: name(life), start: log.low }]
    if (last.end <= log.high) return [{ ...place, key: name(life), start: last.end }]
    const start = topic.id ? log.high : log.low
    notes.push(
      `${placeName(topic.topic, partition)} ends at offset ${log.high}, and ${last.end} was stored: ` +
        (topic.id
          ? `its log was cut; reading goes on at ${start}`
          : `its topic was made anew; reading starts over at ${start}`),
    )
    return [{ ...place, key: name(life + 1), start }]
  })
  return { places, notes }
}

function lifeOf(file: string, name: (life: number) => string): number | undefined {
  const life = Number(/\.(\d+)\/\d+$/.exec(file)?.[1])
  return file === name(life) ? life : undefined
}
