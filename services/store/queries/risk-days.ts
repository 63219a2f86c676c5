import type { ClickHouseClient } from '@clickhouse/client'
import type { RiskKind, RiskLevel } from '../../model/risk.ts'
import { insertRows, query } from '../store.ts'

/** What a day of an entity was judged to be; times in milliseconds since 1970. */
export interface RiskDay {
  kind: RiskKind
  entity: string
  /** `2026-11-22`. */
  day: string
  level: RiskLevel
  /** Whether enough was known of the entity to judge it: only such days say what is usual. */
  is_known: boolean
  /** Why it is UNKNOWN. */
  why: string
  maturity: number
  /** Nats of the day itself in both readings, and with what is left of the days before. */
  whole: number
  added: number
  risk_whole: number
  risk_added: number
  /** What was MEDIUM then; 0 while that was not known. */
  limit_whole: number
  limit_added: number
  last_ms: number
  /** JSON: the terms of both readings. */
  terms: string
  /** What was seen before counts no more; 0 for never. */
  vouched_ms: number
  vouched_by: string
  vouched_why: string
}

const MS = (name: string) => `toUnixTimestamp64Milli(${name})`
const COLUMNS = `toString(kind) AS kind, entity, toString(day) AS day, toString(level) AS level, is_known, why, maturity, whole, added, risk_whole, risk_added,
  limit_whole, limit_added, ${MS('last_seen')} AS last_ms, terms, ${MS('vouched')} AS vouched_ms, vouched_by, vouched_why`

/** The days of these entities from one on, before another. */
export async function riskDays(
  client: ClickHouseClient,
  kind: RiskKind,
  entities: string[],
  { since, until }: { since: string; until: string },
  limits: 'reads' | 'jobs' = 'jobs',
): Promise<RiskDay[]> {
  return await query(
    client,
    `SELECT ${COLUMNS} FROM risk_day FINAL
     WHERE tenant = '' AND risk_day.kind = {kind:String} AND entity IN {entities:Array(String)} AND risk_day.day >= {since:Date} AND risk_day.day < {until:Date}
     ORDER BY entity, risk_day.day`,
    { kind, entities, since, until },
    limits,
  )
}

/** The latest scores before a day, for what is usual: of known entities, the oldest first. */
export async function pastScores(
  client: ClickHouseClient,
  kind: RiskKind,
  before: string,
  max: number,
): Promise<Pick<RiskDay, 'level' | 'risk_whole' | 'risk_added' | 'limit_whole' | 'limit_added'>[]> {
  return await query(
    client,
    `SELECT * FROM (
       SELECT toString(level) AS level, risk_whole, risk_added, limit_whole, limit_added, day, entity FROM risk_day FINAL
       WHERE tenant = '' AND kind = {kind:String} AND is_known AND day < {before:Date} ORDER BY day DESC, sipHash64(entity) LIMIT {max:UInt32})
     ORDER BY day, sipHash64(entity)`,
    { kind, before, max },
    'jobs',
  )
}

/** Ids of entities that end as asked: who is looked for by the subject only. */
export async function entitiesNamed(client: ClickHouseClient, kind: RiskKind, subject: string): Promise<string[]> {
  const rows = await query<{ entity: string }>(
    client,
    `SELECT DISTINCT entity FROM risk_day WHERE tenant = '' AND kind = {kind:String} AND (entity = {subject:String} OR endsWith(entity, concat(' ', {subject:String})))
     ORDER BY entity LIMIT 10`,
    { kind, subject },
  )
  return rows.map(({ entity }) => entity)
}

const STRUCTURE =
  `kind String, entity String, day Date, level String, is_known Bool, why String, maturity Float32, whole Float64, added Float64, risk_whole Float64,
  risk_added Float64, limit_whole Float64, limit_added Float64, last_seen DateTime64(3, 'UTC'), terms String, vouched DateTime64(3, 'UTC'), vouched_by String,
  vouched_why String, judged DateTime64(3, 'UTC')`.replace(/\s+/g, ' ')

/** Writes days over what they were judged before. */
export async function writeRiskDays(client: ClickHouseClient, days: readonly RiskDay[], nowMs: number): Promise<void> {
  const rows = days.map(({ last_ms, vouched_ms, ...day }) => ({
    ...day,
    ...{ last_seen: clock(last_ms), vouched: clock(vouched_ms), judged: clock(nowMs) },
  }))
  await insertRows(client, 'risk_day', STRUCTURE.replaceAll("'", "\\'"), rows)
}

const clock = (ms: number) => new Date(ms).toISOString().slice(0, 23).replace('T', ' ')
