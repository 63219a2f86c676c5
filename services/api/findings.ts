import { actOn } from '../analyzer/findings/act.ts'
import { asOf, keep } from '../analyzer/findings/keep.ts'
import type { Tuning } from '../model/check.ts'
import { CinchError } from '../model/errors.ts'
import {
  type Finding,
  type FindingAct,
  type FindingGroup,
  type FindingListing,
  type FindingState,
  type FindingWord,
  type Report,
  SEVERITIES,
} from '../model/finding.ts'
import { byText } from '../model/order.ts'
import { createLease } from '../store/lease.ts'
import { findingWords, lastVersion, readFindings, saveFindings } from '../store/queries/findings.ts'
import { storedWindow, type Window } from '../store/queries/rollups.ts'
import type { Store } from '../store/store.ts'
import { byOf } from './by.ts'
import type { By } from './lifecycle/log.ts'
import { resolveWindow, timeOf } from './window.ts'

/** Findings of one answer. */
export const LISTED_MAX = 1_000
/** What a look is of: a day, so that what is mended is known to be gone a day later, and what happens once a day is seen. */
export const LOOK_MS = 86_400_000
/** Another process keeps its findings for a moment. */
const WAIT_MS = 20_000

export interface AskedFindings {
  /** Open ones when absent; `all` for any. */
  state?: FindingState | 'all' | undefined
  /** Seen since then: ISO 8601, or a span back from now. */
  since?: string | undefined
  check?: string | undefined
}

/** Looks at a window: what producers see in it. @param at now, ISO 8601 */
export type Producer = (window: Window, at: string) => Promise<Report[]>

export interface Findings {
  list(asked: AskedFindings): Promise<FindingListing>
  /** One, with all that was said of it. @param id or its beginning @throws CinchError `not_found` */
  show(id: string): Promise<{ finding: Finding; words: FindingWord[] }>
  /** @throws CinchError `not_found`, `step_refused`, `bad_option` */
  act(id: string, act: FindingAct, by: By): Promise<Finding>
  /** Has the producers look at the last day, and keeps what they see; nothing where another process on the same server does. */
  look(): Promise<void>
  /** Keeps what a producer saw that has times of its own. */
  take(reports: readonly Report[]): Promise<void>
  /** What people marked as false. */
  tunings(): Promise<Tuning[]>
}

/** How a service looks: with a rest of so many times what a look took. */
export interface LookPace {
  restRatio: number
}

/**
 * @param pace of a service, which looks every now and then; absent, a look is had whenever findings are asked for
 * @param now for tests
 */
export function createFindings(
  store: Store,
  producers: readonly Producer[],
  pace?: LookPace,
  now: () => number = Date.now,
): Findings {
  const looking = createLease(store, 'look for findings')
  const { take, act, atNow } = createKeeper(store, now)
  let looked: Window | undefined
  let restUntil = 0
  const lookOnce = async () => {
    const window = await lookWindow(store, now())
    const reports: Report[] = []
    for (const producer of producers) reports.push(...(await producer(window, atNow())))
    await take(reports)
    looked = window
  }
  let running: Promise<void> | undefined
  const look = async () => {
    const started = performance.now()
    if (started < restUntil) return
    running ??= looking(lookOnce, pace ? 0 : WAIT_MS)
      .then(() => {
        restUntil = performance.now() + (performance.now() - started) * (pace?.restRatio ?? 0)
      })
      .finally(() => {
        running = undefined
      })
    await running
  }
  const all = async (asked: { id?: string; check?: string } = {}) =>
    (await readFindings(store.reads, asked)).map((finding) => asOf(finding, atNow()))
  return {
    list: async ({ state = 'open', since, check = '' }) => {
      if (!pace) await look()
      const from = since === undefined ? '' : new Date(timeOf(since, now())).toISOString()
      const found = (await all({ check })).filter(
        (finding) => (state === 'all' || finding.state === state) && finding.last_seen >= from,
      )
      return { ...(looked ? { window: looked } : {}), ...listingOf(found) }
    },
    show: async (id) => {
      const finding = theOne(await all({ id: checkedId(id) }), id)
      return { finding, words: await findingWords(store.reads, finding.id) }
    },
    act,
    look,
    take,
    tunings: async () => (await all()).filter(({ state }) => state === 'false').map(tuningOf),
  }
}

/** What writes findings: one at a time, for what is written rests on what was read. */
function createKeeper(store: Store, now: () => number) {
  const keeping = createLease(store, 'keeping of findings')
  const atNow = () => new Date(now()).toISOString()
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    const next = last
      .catch(() => {})
      .then(async () => {
        const done = await keeping(async () => ({ result: await work() }), WAIT_MS)
        if (done) return done.result
        throw new CinchError('overloaded', 'another process keeps findings and does not end', 'try again')
      })
    last = next
    return await next
  }
  const write = async (records: readonly Finding[], words: readonly Finding[]) => {
    const version = Math.max(now() * 1_000, (await lastVersion(store.jobs)) + 1)
    await saveFindings(store.jobs, records, words, version)
  }
  const take = async (reports: readonly Report[]) =>
    await inTurn(async () => {
      for (const report of reports) {
        const known = await readFindings(store.jobs, { check: report.check })
        const { records, words } = keep(known, report, atNow())
        if (records.length > 0) await write(records, words)
      }
    })
  const act = async (id: string, said: FindingAct, by: By) => {
    const told = byOf(by)
    return await inTurn(async () => {
      const before = theOne(await readFindings(store.jobs, { id: checkedId(id) }), id)
      const finding = { ...before, ...actOn(before, said, told, atNow()) }
      await write([], [finding])
      return finding
    })
  }
  return { take, act, atNow }
}

/** The last day that is stored, and never beyond now: whoever sends lines of next year is not to blind anybody. */
async function lookWindow(store: Store, nowMs: number): Promise<Window> {
  const stored = await storedWindow(store.reads)
  const end = Math.min(stored ? Date.parse(stored.until) : nowMs, nowMs)
  const iso = (ms: number) => new Date(ms).toISOString()
  return resolveWindow({ since: iso(end - LOOK_MS), until: iso(end) }, undefined, nowMs)
}

const rank = ({ severity }: Pick<Finding, 'severity'>) => SEVERITIES.indexOf(severity)

/** The worst first, those of one check and place together. */
function listingOf(found: readonly Finding[]): Omit<FindingListing, 'window'> {
  const groups = [...Map.groupBy(found, ({ check, place }) => JSON.stringify([check, place])).values()]
    .map((of) => of.toSorted((a, b) => (a.last_seen < b.last_seen ? 1 : -1)))
    .sort(([a], [b]) => (a && b ? rank(b) - rank(a) || byText(keyOf(a), keyOf(b)) : 0))
  const listed = groups.flat()
  return {
    findings: listed.slice(0, LISTED_MAX),
    groups: groups.flatMap(([first, ...more]): FindingGroup[] => {
      if (!first) return []
      const { check, place, severity, last_seen } = first
      return [{ check, place, findings: more.length + 1, severity, last_seen }]
    }),
    left_out: Math.max(0, listed.length - LISTED_MAX),
  }
}

const keyOf = ({ check, place }: Finding) => `${check} ${place}`
function checkedId(id: string): string {
  if (/^[0-9a-f]{4,32}$/.test(id)) return id
  throw new CinchError(
    'bad_option',
    'this is no id of a finding',
    'give at least its first four digits, as cinch findings prints them',
  )
}

function theOne(found: readonly Finding[], id: string): Finding {
  const [finding, another] = found
  if (finding && !another) return finding
  throw new CinchError(
    'not_found',
    another ? `more than one finding begins with ${id}` : `there is no finding ${id}`,
    'see cinch findings --state all',
  )
}

const tuningOf = ({ check, subject, tolerated, who, why, at, id }: Finding): Tuning => ({
  ...{ check, subject, tolerated, who, why, at },
  finding: id,
})
