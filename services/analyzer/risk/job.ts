import { HIGH_BUDGET, MEDIUM_BUDGET, type RiskKind, type RiskLevel, type RiskReading } from '../../model/risk.ts'
import { createLease } from '../../store/lease.ts'
import {
  type ActiveKind,
  changedDays,
  type DayRow,
  dayAfter,
  dayOf,
  daysBefore,
  habits,
  population,
  volumes,
} from '../../store/queries/activity.ts'
import { pastScores, type RiskDay, riskDays, writeRiskDays } from '../../store/queries/risk-days.ts'
import type { Store } from '../../store/store.ts'
import { type Background, evidenceOf, type Profile, profileOf } from './day.ts'
import { DAYS_COUNTED, keptTerms, riskAt } from './decay.ts'
import { MATURITY_MIN, maturityOf } from './evidence.ts'
import { judge } from './score.ts'
import { createTail, SCORES_KEPT, SCORES_MIN, type Tail } from './tail.ts'

const KINDS: readonly ActiveKind[] = ['user', 'workload']
/** What was usual two months ago is an eighth of what is now. */
const HALF_LIFE_DAYS = 21
const HABIT_DAYS = 60
/** An entity that was seen on fewer days is not known, however much it did on them. */
const DAYS_MIN = 3
/** Of one dimension of all entities; rarer ones are taken for what nobody does. */
const POPULATION_VALUES_MAX = 50_000
/** Entities that are read at once: their names are bound to a statement of 256 KiB. */
const PAGE_ENTITIES = 200
/** What was loaded while the last turn read, and what a clock that is behind another's wrote. */
const OVERLAP_MS = 60_000

export type Tails = Record<RiskReading, Tail>

export interface RiskJob {
  /**
   * Judges every day of every entity of which something came since it was judged, the earliest days first, so that each is held against
   * what was known before. Nothing where another process on the same server does.
   * @returns the days that were judged now
   */
  judge(nowMs: number): Promise<RiskDay[]>
  /** What is usual among an entity's kind before a day. */
  tails(kind: RiskKind, day: string): Promise<Tails>
}

export function createRiskJob(store: Store): RiskJob {
  const lease = createLease(store, 'judging of risk')
  const client = store.jobs
  const populations = lastOf(async (kind: ActiveKind, day: string) =>
    profileOf(await population(client, pastOf(kind, day), POPULATION_VALUES_MAX)),
  )
  const tails = lastOf(async (kind: RiskKind, day: string) => {
    const scores = await pastScores(client, kind, day, SCORES_KEPT)
    const found: Tails = { whole: createTail(), added: createTail() }
    for (const one of scores)
      for (const reading of ['whole', 'added'] as const)
        found[reading].add(one[`risk_${reading}`], isSuspicious(one.level), one[`limit_${reading}`])
    return found
  })
  const judgePage = async (kind: ActiveKind, day: string, entities: string[]): Promise<RiskDay[]> => {
    const past = pastOf(kind, day)
    const span = { since: daysBefore(day, DAYS_COUNTED), until: dayAfter(day) }
    const remembered = Map.groupBy(await riskDays(client, kind, entities, span), ({ entity }) => entity)
    const vouched = new Map(
      [...remembered].map(([entity, days]) => [entity, Math.max(...days.map((one) => one.vouched_ms))]),
    )
    const seen = await dayOf(client, { kind, day, entities }, vouched)
    const usual = Map.groupBy(await habits(client, past, entities), ({ entity }) => entity)
    const bytes = new Map((await volumes(client, past, entities)).map((one) => [one.entity, one.bytes]))
    const rows = Map.groupBy(seen.rows, ({ entity }) => entity)
    const [all, limits] = [await populations(kind, day), limitsOf(await tails(kind, day))]
    return seen.days.map((whole) => {
      const own = usual.get(whole.entity) ?? []
      return judgeDay({
        ...{ kind, day, whole, all, limits, rows: rows.get(whole.entity) ?? [] },
        remembered: remembered.get(whole.entity) ?? [],
        background: { own: profileOf(own), all, volumes: bytes.get(whole.entity) ?? [] },
        daysKnown: own[0]?.days ?? 0,
      })
    })
  }
  let loadedMs = 0
  return {
    tails,
    judge: async (nowMs) => {
      const judged: RiskDay[] = []
      await lease(async (held) => {
        for (const kind of KINDS)
          for (const { day, entities } of await changedDays(client, kind, Math.floor(loadedMs / 1_000)))
            for (let from = 0; from < entities.length; from += PAGE_ENTITIES) {
              const days = await judgePage(kind, day, entities.slice(from, from + PAGE_ENTITIES))
              await held.keep()
              await writeRiskDays(client, days, nowMs)
              judged.push(...days)
            }
        loadedMs = Math.max(0, nowMs - OVERLAP_MS)
      }, 0)
      return judged
    },
  }
}

const pastOf = (kind: ActiveKind, day: string) => ({
  ...{ kind, until: day, daysMax: HABIT_DAYS, halfLifeDays: HALF_LIFE_DAYS },
})

export const isSuspicious = (level: RiskLevel) => level === 'MEDIUM' || level === 'HIGH'

export type Limits = Record<RiskReading, { medium: number; high: number }> | undefined

/** Scores that make a level: each reading has half of the false alarms. Undefined while nobody can say what is usual. */
export function limitsOf(tails: Tails): Limits {
  const of = (tail: Tail) => {
    const [medium, high] = [tail.threshold(MEDIUM_BUDGET / 2), tail.threshold(HIGH_BUDGET / 2)]
    return medium !== undefined && high !== undefined ? { medium, high } : undefined
  }
  const [whole, added] = [of(tails.whole), of(tails.added)]
  return whole && added && { whole, added }
}

/** The level of an entity of which enough is known. */
export function levelOf(risk: Record<RiskReading, number>, limits: NonNullable<Limits>): RiskLevel {
  const exceeds = (which: 'medium' | 'high') => risk.whole > limits.whole[which] || risk.added > limits.added[which]
  return exceeds('high') ? 'HIGH' : exceeds('medium') ? 'MEDIUM' : 'LOW'
}

export const UNCALIBRATED = `fewer than ${SCORES_MIN} days of entities of this kind were judged, so nobody can say yet what is rare among them`

interface AskedDay {
  kind: ActiveKind
  day: string
  whole: DayRow
  rows: Parameters<typeof evidenceOf>[0]['rows']
  remembered: readonly RiskDay[]
  background: Background
  all: Profile
  daysKnown: number
  limits: Limits
}

function judgeDay({ kind, day, whole, rows, remembered, background, daysKnown, limits }: AskedDay): RiskDay {
  const judged = judge(evidenceOf({ rows, bytes: whole.bytes_out }, background))
  const maturity = maturityOf(background.own.get('callee')?.total ?? 0)
  const before = remembered.filter((one) => one.day < day)
  const vouched = remembered.toSorted((a, b) => b.vouched_ms - a.vouched_ms)[0]
  const isLogin = whole.stepped_up_ms > (vouched?.vouched_ms ?? 0)
  const today = {
    ...{ whole: judged.whole.nats, added: judged.added.nats, last_ms: whole.last_ms, terms: keptTerms(judged) },
  }
  const risk = (reading: RiskReading) => riskAt([...before, today], reading, whole.last_ms, whole.stepped_up_ms)
  const risks = { whole: risk('whole'), added: risk('added') }
  const isKnown = maturity >= MATURITY_MIN && daysKnown >= DAYS_MIN
  const why = !isKnown ? tooLittle(daysKnown, maturity) : limits ? '' : UNCALIBRATED
  return {
    ...{ kind, day, entity: whole.entity, ...today },
    ...{ level: isKnown && limits ? levelOf(risks, limits) : 'UNKNOWN', is_known: isKnown, why, maturity },
    ...{ risk_whole: risks.whole, risk_added: risks.added },
    ...{ limit_whole: limits?.whole.medium ?? 0, limit_added: limits?.added.medium ?? 0 },
    vouched_ms: whole.stepped_up_ms,
    vouched_by: isLogin ? 'a phishing-resistant login' : (vouched?.vouched_by ?? ''),
    vouched_why: isLogin ? '' : (vouched?.vouched_why ?? ''),
  }
}

const tooLittle = (days: number, maturity: number) =>
  days < DAYS_MIN
    ? `it was seen on ${days} days before, and is known after ${DAYS_MIN}`
    : `it did little on the ${days} days on which it was seen: ${Math.round(100 * maturity)} % of what is to be known`

/** Days whose answers are kept by kind: the one that is judged, and the one that is asked for. */
const DAYS_KEPT = 3

function lastOf<Kind, Answer>(ask: (kind: Kind, day: string) => Promise<Answer>) {
  const kept = new Map<Kind, Map<string, Promise<Answer>>>()
  return async (kind: Kind, day: string): Promise<Answer> => {
    const days = kept.get(kind) ?? new Map<string, Promise<Answer>>()
    kept.set(kind, days)
    const held = days.get(day)
    if (held) return await held
    const answer = ask(kind, day)
    days.set(day, answer)
    const [oldest] = days.keys()
    if (days.size > DAYS_KEPT && oldest !== undefined) days.delete(oldest)
    return await answer.catch((error: unknown) => {
      // Asked again, it is tried again.
      days.delete(day)
      throw error
    })
  }
}
