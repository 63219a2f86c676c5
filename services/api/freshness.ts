import { SOURCES } from '../collector/sources/index.ts'
import { type Silence, silenceOf } from '../model/silence.ts'
import { batchGaps, type GapRow } from '../store/queries/batches.ts'
import { readSenders } from '../store/queries/senders.ts'
import type { Store } from '../store/store.ts'
import { createSourceStates, type SourceState } from './source-states.ts'

export interface SourceListing {
  id: string
  aliases: string[]
  title: string
  tells: string
  cannot_tell: string
  facts: number
  rejected: number
  first_seen: string
  last_seen: string
  senders: string[]
  /** True when one of its senders has fallen silent: an alert. */
  silent: boolean
  streams: Stream[]
}

/** What comes of one source from one sender and cluster. */
export interface Stream extends Omit<Silence, 'state'> {
  sender: string
  cluster: string
  facts: number
  rejected: number
  /** Time of its newest request; '' where none was accepted. */
  last_seen: string
  /** When something of it was last loaded. */
  loaded: string
  quiet_s: number
  lag_s: number
  /** Accepted in each of the last 24 hours, by the time of loading; the newest last. */
  per_hour: number[]
  /** `retired`: its sender was revoked, so its silence is meant. */
  state: Silence['state'] | 'retired'
}

/** What is usual changes slowly, and is learned from two months: it is asked for again only after so long. */
const GAPS_KEPT_MS = 300_000

/** Sources with what came of them, how fresh it is, and who has fallen silent. */
export function createFreshness(store: Store): (nowMs?: number) => Promise<SourceListing[]> {
  const sourceStates = createSourceStates(store)
  let gaps: { rows: GapRow[]; readMs: number } | undefined
  return async (nowMs = Date.now()) => {
    if (!gaps || Math.abs(nowMs - gaps.readMs) >= GAPS_KEPT_MS)
      gaps = { rows: await batchGaps(store.reads, nowMs), readMs: nowMs }
    const states = await sourceStates(nowMs)
    const senders = await readSenders(store.reads)
    const revoked = new Set(senders.filter((sender) => sender.revoked).map(({ id }) => id))
    return listSources(states, gaps.rows, revoked)
  }
}

/** One entry for each source that there is, whether anything came of it or not. */
export function listSources(states: SourceState[], gaps: GapRow[], revoked: ReadonlySet<string>): SourceListing[] {
  return SOURCES.map((source) => {
    const own = states.filter((state) => state.source === source.id)
    const seen = own.filter((state) => state.accepted > 0)
    const streams = own.map((state) => streamOf(state, gaps, revoked))
    return {
      id: source.id,
      aliases: source.aliases,
      title: source.title,
      tells: source.tells,
      cannot_tell: source.cannotTell,
      facts: sum(own.map((state) => state.accepted)),
      rejected: sum(own.map((state) => state.rejected)),
      first_seen: seen.map((state) => state.first_seen).sort()[0] ?? '',
      last_seen: last(seen.map((state) => state.last_seen)),
      senders: [...new Set(own.map((state) => state.sender))],
      silent: streams.some(({ state }) => state === 'silent'),
      streams,
    }
  })
}

function streamOf(state: SourceState, gaps: GapRow[], revoked: ReadonlySet<string>): Stream {
  const own = gaps.filter(
    ({ source, sender, cluster }) => source === state.source && sender === state.sender && cluster === state.cluster,
  )
  const silence = silenceOf(own, state.quiet_s)
  const perHour = new Map(state.hours)
  return {
    ...silence,
    state: revoked.has(state.sender) ? 'retired' : silence.state,
    sender: state.sender,
    cluster: state.cluster,
    facts: state.accepted,
    rejected: state.rejected,
    last_seen: state.accepted > 0 ? state.last_seen : '',
    loaded: state.loaded,
    quiet_s: state.quiet_s,
    lag_s: Math.round(state.lag_s * 1000) / 1000,
    per_hour: Array.from({ length: 24 }, (_, index) => Number(perHour.get(23 - index) ?? 0)),
  }
}

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0)
const last = (texts: string[]) => texts.sort().at(-1) ?? ''
