import { answerOf, unknown } from '../analyzer/risk/answer.ts'
import { DAYS_COUNTED } from '../analyzer/risk/decay.ts'
import { createRiskJob } from '../analyzer/risk/job.ts'
import { CinchError } from '../model/errors.ts'
import type { RiskAnswer, RiskKind } from '../model/risk.ts'
import { dayAfter, daysBefore } from '../store/queries/activity.ts'
import { entitiesNamed, type RiskDay, riskDays, writeRiskDays } from '../store/queries/risk-days.ts'
import type { Store } from '../store/store.ts'
import type { By } from './lifecycle/log.ts'

/** Whose risk is asked for. */
export interface AskedRisk {
  kind: RiskKind
  /** Of a user `issuer subject`, of a workload its principal without `spiffe://`. */
  id: string
}

export interface Risk {
  /** Judges what came since; resolves to how many days of entities it judged. @param nowMs for tests */
  judge(nowMs?: number): Promise<number>
  /** The risk of an entity. @param atMs milliseconds since 1970, for recordings; now when absent */
  of(asked: AskedRisk, atMs?: number): Promise<RiskAnswer>
  /** The risks of several, in the order in which they are asked for. */
  ofAll(asked: readonly AskedRisk[], atMs?: number): Promise<RiskAnswer[]>
  /** Ids of entities that somebody may mean by a subject without its issuer. */
  named(kind: RiskKind, subject: string): Promise<string[]>
  /** Somebody's word for what an entity did until a time: it counts no more, and is learned from. @param untilMs now when absent */
  vouch(asked: AskedRisk, by: By, untilMs?: number): Promise<RiskAnswer>
}

/** Entities whose days are in memory; others are read when they are asked for. Some 10 KB each. */
const ENTITIES_MAX = 20_000
/** For so long what was read is taken for what is stored: another process may have judged meanwhile. */
const READ_FOR_MS = 2_000

const UNTOLD: Partial<Record<RiskKind, string>> = {
  device: 'no source that is read tells of devices',
  session: 'sessions are judged with their user: ask for the user',
}

export function createRisk(store: Store): Risk {
  const job = createRiskJob(store)
  const kept = new Map<string, { days: RiskDay[]; until: number }>()
  const keep = (key: string, days: RiskDay[]) => {
    kept.delete(key)
    kept.set(key, { days, until: performance.now() + READ_FOR_MS })
    const [oldest] = kept.keys()
    if (kept.size > ENTITIES_MAX && oldest !== undefined) kept.delete(oldest)
    return days
  }
  const daysOf = async ({ kind, id }: AskedRisk, day: string) => {
    const key = JSON.stringify([kind, id, day])
    const held = kept.get(key)
    if (held && held.until > performance.now()) return held.days
    const span = { since: daysBefore(day, DAYS_COUNTED), until: dayAfter(day) }
    return keep(key, await riskDays(store.reads, kind, [id], span, 'reads'))
  }
  const risk = async (asked: AskedRisk, atMs = Date.now()): Promise<RiskAnswer> => {
    const untold = UNTOLD[asked.kind]
    if (untold) return unknown(asked.kind, asked.id, untold)
    const day = dayAt(atMs)
    const days = (await daysOf(asked, day)).filter(({ last_ms }) => last_ms <= atMs)
    return answerOf(asked.kind, asked.id, days, await job.tails(asked.kind, day), atMs)
  }
  return {
    judge: async (nowMs = Date.now()) => {
      const judged = await job.judge(nowMs)
      kept.clear()
      return judged.length
    },
    of: risk,
    ofAll: async (asked, atMs) => await Promise.all(asked.map((one) => risk(one, atMs))),
    named: async (kind, subject) => await entitiesNamed(store.reads, kind, subject),
    vouch: async (asked, { who, why }, untilMs = Date.now()) => {
      const day = dayAt(untilMs)
      const days = await daysOf(asked, day)
      if (days.length === 0)
        throw new CinchError(
          'not_found',
          `nothing is held against ${asked.kind} ${asked.id}`,
          'see cinch risk for whom it knows',
        )
      const word = { vouched_ms: untilMs, vouched_by: who, vouched_why: why }
      // What was learned of none of them is learned from now on, and that it was no attack.
      const cleared = days.map((one) => ({ ...one, ...word, level: one.is_known ? ('LOW' as const) : one.level }))
      await writeRiskDays(store.jobs, cleared, Date.now())
      kept.clear()
      return await risk(asked, untilMs)
    },
  }
}

const dayAt = (ms: number) => new Date(ms).toISOString().slice(0, 10)
