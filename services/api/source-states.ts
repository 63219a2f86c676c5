import { type SourceSums, sourceSums, storeTime } from '../store/queries/batches.ts'
import type { Store } from '../store/store.ts'

/** What each source and sender brought, and how fresh it is. Times are ISO 8601, UTC; empty where nothing came. */
export interface SourceState {
  source: string
  sender: string
  cluster: string
  accepted: number
  rejected: number
  first_seen: string
  last_seen: string
  loaded: string
  /** Seconds since the last batch was loaded. */
  quiet_s: number
  /** Seconds from the last request of the newest batch to its loading; 0 where none was accepted. */
  lag_s: number
  /** What was accepted in each hour before now that had any, to the minute: hours ago (0 to 23), and how much. */
  hours: [ago: number, accepted: number][]
}

/** So long after it was loaded by its own word, a batch may still come: no statement takes longer. */
const SETTLED_S = 3_600
/** All batches are read once more after so long: some expire, and one of which a part came later counts as new. */
const KEPT_S = 86_400
const MAX_S = 2 ** 32

/** What was loaded before `until`, read at `readS`. */
interface Settled {
  sums: Map<string, SourceSums>
  until: number
  readS: number
}

/**
 * States of sources. `/metrics` asks for them several times a minute, and there is a row a batch: so what is settled is read once and
 * kept, and an answer reads what was loaded in the last one or two hours.
 */
export function createSourceStates(
  { reads }: Pick<Store, 'reads'>,
  settledS = SETTLED_S,
): (nowMs: number) => Promise<SourceState[]> {
  let kept: Settled | undefined
  const settled = async (): Promise<Settled> => {
    const nowS = await storeTime(reads)
    const until = nowS - settledS
    const known = kept && nowS - kept.readS < KEPT_S ? kept : { sums: new Map(), until: 0, readS: nowS }
    if (known === kept && until - known.until < settledS) return known
    const more = await sourceSums(reads, { since: known.until, until })
    kept = { sums: added(known.sums, more, until), until, readS: known.readS }
    return kept
  }
  return async (nowMs) => {
    const { sums, until } = await settled()
    const all = added(sums, await sourceSums(reads, { since: until, until: MAX_S }), until)
    const nowS = Math.floor(nowMs / 1000)
    return [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => stateOf(one, nowS))
  }
}

const keyOf = ({ source, sender, cluster }: SourceSums) => JSON.stringify([source, sender, cluster])

/** Of minutes, those of the last day before `until` are kept. */
function added(
  known: ReadonlyMap<string, SourceSums>,
  more: readonly SourceSums[],
  until: number,
): Map<string, SourceSums> {
  const all = new Map(known)
  for (const one of more) {
    const before = all.get(keyOf(one))
    all.set(keyOf(one), before ? plus(before, one, until) : one)
  }
  return all
}

function plus(a: SourceSums, b: SourceSums, until: number): SourceSums {
  const minutes = new Map(a.minutes.filter(([minute]) => minute * 60 > until - KEPT_S - 2 * SETTLED_S))
  for (const [minute, accepted] of b.minutes) minutes.set(minute, (minutes.get(minute) ?? 0) + accepted)
  const isLater = b.newest[0] > a.newest[0] || (b.newest[0] === a.newest[0] && b.newest[1] > a.newest[1])
  return {
    ...{ source: a.source, sender: a.sender, cluster: a.cluster },
    accepted: a.accepted + b.accepted,
    rejected: a.rejected + b.rejected,
    loaded: Math.max(a.loaded, b.loaded),
    first_us: a.first_us === 0 || b.first_us === 0 ? a.first_us + b.first_us : Math.min(a.first_us, b.first_us),
    last_us: Math.max(a.last_us, b.last_us),
    newest: isLater ? b.newest : a.newest,
    minutes: [...minutes],
  }
}

function stateOf(
  { source, sender, cluster, accepted, rejected, loaded, first_us, last_us, newest, minutes }: SourceSums,
  nowS: number,
): SourceState {
  const hours = new Map<number, number>()
  for (const [minute, count] of minutes) {
    const ago = Math.floor((Math.floor(nowS / 60) - minute) / 60)
    if (ago >= 0 && ago < 24) hours.set(ago, (hours.get(ago) ?? 0) + count)
  }
  return {
    ...{ source, sender, cluster, accepted, rejected },
    first_seen: accepted > 0 ? iso(first_us / 1e6) : '',
    last_seen: accepted > 0 ? iso(last_us / 1e6) : '',
    loaded: iso(loaded),
    quiet_s: Math.max(0, nowS - loaded),
    lag_s: accepted > 0 ? newest[0] - newest[1] / 1e6 : 0,
    hours: [...hours],
  }
}

const iso = (seconds: number) => `${new Date(Math.floor(seconds) * 1000).toISOString().slice(0, 19)}Z`
