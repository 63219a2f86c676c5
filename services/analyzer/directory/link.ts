import type { Act, Change, Correlation, DirectoryLink, LinkGrade, Occasion } from '../../model/directory.ts'
import { jobOf } from './job.ts'

const MINUTE_US = 60e6
const HOUR_US = 60 * MINUTE_US

/** So far the clocks of two systems may differ: what led to a change may be stamped that much after it. */
export const SKEW_US = 5 * MINUTE_US
/** A session by address lasts no longer: what identity providers have for the longest day of work. */
export const SESSION_US = 12 * HOUR_US
/** A request is that near to what it does; it may be queued. */
export const TRANSACTION_US = HOUR_US
/** A sign-in is recent for a day. */
export const RECENT_US = 24 * HOUR_US
/** What is looked at before a window for the changes at its start. */
export const LOOKBACK_US = RECENT_US + SKEW_US

/**
 * Links each change to what led to it. The strongest link counts, and of equals the nearest. Nothing depends on the order of what is given.
 * @param watched_us since when each source tells anything, by tenant and source
 */
export function linkChanges(
  changes: readonly Change[],
  occasions: readonly Occasion[],
  watched_us: (tenant: string, source: string) => number,
): DirectoryLink[] {
  const index = indexOf(occasions)
  return changes.map((change) => {
    const found = byTransaction(change, index) ?? byActor(change, index)
    const job = jobOf(change, watched_us(change.tenant, change.source))
    const grade = found?.grade ?? 0
    return { change, grade, by: found?.by ?? '', occasion: found?.occasion, job, linked: grade > 0 || job === 'known' }
  })
}

interface Found {
  grade: LinkGrade
  by: string
  occasion: Occasion
}

interface Index {
  byCorrelation: ReadonlyMap<string, readonly Occasion[]>
  byActor: ReadonlyMap<string, readonly Occasion[]>
}

function indexOf(occasions: readonly Occasion[]): Index {
  const byCorrelation = new Map<string, Occasion[]>()
  const byActor = new Map<string, Occasion[]>()
  const add = (map: Map<string, Occasion[]>, key: string, occasion: Occasion) => {
    const list = map.get(key)
    if (list) list.push(occasion)
    else map.set(key, [occasion])
  }
  for (const occasion of occasions.toSorted((a, b) => a.time_us - b.time_us)) {
    for (const correlation of occasion.correlations) add(byCorrelation, correlationKey(occasion, correlation), occasion)
    for (const key of actorKeys(occasion)) add(byActor, key, occasion)
  }
  return { byCorrelation, byActor }
}

/** Request ids and transactions are one namespace: what one system calls a transaction is the request of another. */
const correlationKey = ({ tenant }: Act, { kind, value }: Correlation) =>
  JSON.stringify([tenant, kind === 'transaction' ? 'request' : kind, value])

/**
 * What an actor is known by: its id at its source, or the subject of a token, which is that id; a name only where it is an address
 * of mail, for others mean different people in different systems.
 */
export function actorKeys({ tenant, source, actor_id, actor_name }: Act): string[] {
  const name = actor_name.toLowerCase()
  const isSubject = source === 'request'
  return [
    ...(actor_id === '' ? [] : [JSON.stringify([tenant, 'subject', actor_id])]),
    ...(actor_id === '' || isSubject ? [] : [JSON.stringify([tenant, source, actor_id])]),
    ...(name.includes('@')
      ? [JSON.stringify([tenant, 'name', name])]
      : name === ''
        ? []
        : [JSON.stringify([tenant, source, 'name', name])]),
  ]
}

const isSameActor = (a: Act, b: Act) => {
  const keys = new Set(actorKeys(a))
  return actorKeys(b).some((key) => keys.has(key))
}

/** Grade 3: the same session or token of the same actor, or the same request; of a request that somebody made through a service, the service acts. */
function byTransaction(change: Change, { byCorrelation }: Index): Found | undefined {
  const found = change.correlations.flatMap((correlation): Found[] => {
    const { kind } = correlation
    if (kind === 'correlation') return []
    const shared = byCorrelation.get(correlationKey(change, correlation)) ?? []
    const isSession = kind === 'session' || kind === 'token'
    const ended = isSession && shared.some((end) => end.kind === 'sign_out' && end.time_us < change.time_us - SKEW_US)
    if (ended) return []
    return shared
      .filter(
        (occasion) =>
          occasion.kind !== 'sign_out' && isBefore(occasion, change, isSession ? RECENT_US : TRANSACTION_US),
      )
      .filter((occasion) => isSameActor(occasion, change) || (!isSession && change.actor_type !== 'user'))
      .map((occasion) => ({ grade: 3, by: kind, occasion }))
  })
  return nearest(found, change)
}

/** Grades 2 and 1: what the same actor did before. */
function byActor(change: Change, { byActor }: Index): Found | undefined {
  const own = [...new Set(actorKeys(change).flatMap((key) => within(byActor.get(key) ?? [], change)))]
  const begun = own.filter(({ kind }) => kind !== 'sign_out')
  const ends = own.filter(({ kind }) => kind === 'sign_out')
  const hasEnded = (occasion: Occasion) =>
    ends.some(
      (end) => end.time_us > occasion.time_us && end.time_us < change.time_us - SKEW_US && isSamePlace(end, occasion),
    )
  const near = begun.flatMap((occasion): Found[] => {
    const by = placeOf(occasion, change)
    return by !== '' && isBefore(occasion, change, SESSION_US) && !hasEnded(occasion)
      ? [{ grade: 2, by, occasion }]
      : []
  })
  const recent = begun.map((occasion): Found => ({ grade: 1, by: occasion.kind, occasion }))
  return nearest(near, change) ?? nearest(recent, change)
}

/** Those of a list in the order of time that are recent enough to matter. */
function within(occasions: readonly Occasion[], change: Change): Occasion[] {
  const first = lowerBound(occasions, change.time_us - RECENT_US)
  const end = lowerBound(occasions, change.time_us + SKEW_US + 1)
  return occasions.slice(first, end)
}

/** Where the first occasion is that is not before a time. */
function lowerBound(occasions: readonly Occasion[], time_us: number): number {
  let low = 0
  let high = occasions.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((occasions[middle]?.time_us ?? 0) < time_us) low = middle + 1
    else high = middle
  }
  return low
}

const isBefore = (occasion: Occasion, change: Change, atMost_us: number) =>
  occasion.time_us <= change.time_us + SKEW_US && occasion.time_us >= change.time_us - atMost_us

const isSamePlace = (a: Act, b: Act) =>
  (a.address !== '' && a.address === b.address) || (a.device !== '' && a.device === b.device)

/** Whether something was done with the same client from the same place, by what; '' where not. A correlation id is as good as a place: whoever has it was there. */
function placeOf(occasion: Occasion, change: Change): string {
  const grouped = occasion.correlations.some(
    ({ kind, value }) =>
      kind === 'correlation' && change.correlations.some((own) => own.kind === kind && own.value === value),
  )
  if (grouped) return 'correlation'
  if (!isSamePlace(occasion, change)) return ''
  const isOther = (a: string, b: string) => a !== '' && b !== '' && a !== b
  if (isOther(occasion.client, change.client)) return ''
  if ((occasion.client === '' || change.client === '') && isOther(occasion.agent, change.agent)) return ''
  return occasion.device !== '' && occasion.device === change.device ? 'device' : 'address'
}

function nearest(found: readonly Found[], change: Change): Found | undefined {
  const distance = ({ occasion }: Found) => Math.abs(occasion.time_us - change.time_us)
  return found.reduce<Found | undefined>(
    (best, each) => (!best || distance(each) < distance(best) ? each : best),
    undefined,
  )
}
