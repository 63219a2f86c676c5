import type { ClickHouseClient } from '@clickhouse/client'
import { query, run } from '../store.ts'
import type { Window } from './rollups.ts'
import type { MinuteRange } from './spans.ts'

/** Kinds of what a trace is made of: spans, and access-log lines by their reporter. */
export type RecordKind =
  | 'unspecified'
  | 'internal'
  | 'server'
  | 'client'
  | 'producer'
  | 'consumer'
  | 'source'
  | 'gateway'
  | 'destination'

/** A span, or a line of an access log that carries a trace context. Names are '' where they are not told. */
export interface TraceRecord {
  /** Microseconds since 1970. */
  at: number
  /** A span's own key; of a line, the key of the span whose context the request carried. */
  key: string
  /** Key of the span above; '' for a root, and for lines. */
  parent: string
  kind: RecordKind
  /** The span's workload; the line's callee. `namespace/workload`. */
  place: string
  /** The span's `namespace/service.name`: two workloads may be of one service. */
  service: string
  /** The line's caller. */
  caller: string
  /** SPIFFE IDs that certificates told a line's proxy: of the callee and of the caller; a gateway's own where the caller is outside. */
  calleePrincipal: string
  callerPrincipal: string
  method: string
  path: string
  /** How well the path is known: 3 the path itself, 2 a route, 1 the span's name or gRPC's method, 0 not at all. */
  pathRank: number
  durationUs: number
  userIssuer: string
  userSubject: string
  /** A database client's span: what it calls is no service. */
  isDatabase: boolean
}

export interface Trace {
  /** 32 hexadecimal digits. */
  id: string
  /** Spans and lines that there are, repetitions too; `records` may be fewer. */
  total: number
  /** Microseconds since 1970. */
  began: number
  records: TraceRecord[]
}

/** What begins before a chain's first minute, or comes after, and still belongs to it. */
export const REACH_MINUTES = 10

/** Spans and lines that are read of one trace, repetitions too. */
export const TRACE_RECORDS_MAX = 8_000

export interface DirtyTraceMinute {
  /** Milliseconds since 1970. */
  minute: number
  records: number
}

const DIRTY = `
  FROM (SELECT minute, sum(m.records) AS records FROM trace_minute AS m GROUP BY minute) AS now
  LEFT JOIN (SELECT minute, records AS chained FROM trace_minute_chained FINAL) AS before USING minute
  WHERE records != chained AND now.minute < fromUnixTimestamp({until:UInt32})`

/** Minutes before `until` whose spans and lines of traces are others than when chains were last looked for, oldest first, or newest. */
export async function dirtyTraceMinutes(
  client: ClickHouseClient,
  until: number,
  limit: number,
  order: 'oldest' | 'newest' = 'oldest',
): Promise<DirtyTraceMinute[]> {
  return await query<DirtyTraceMinute>(
    client,
    `SELECT toUnixTimestamp(now.minute) * 1000 AS minute, records ${DIRTY} ORDER BY now.minute ${order === 'newest' ? 'DESC' : ''} LIMIT {limit:UInt32}`,
    { until: Math.floor(until / 1000), limit },
    'jobs',
  )
}

/** Spans and lines of traces in a window's minutes before `until` in which chains were not looked for yet. */
export async function recordsNotChained(client: ClickHouseClient, window: Window, until: number): Promise<number> {
  const [row] = await query<{ total: number }>(
    client,
    `SELECT sum(records) AS total ${DIRTY} AND now.minute >= parseDateTimeBestEffort({since:String}) AND now.minute < parseDateTimeBestEffort({end:String})`,
    { until: Math.floor(until / 1000), since: window.since, end: window.until },
  )
  return row?.total ?? 0
}

/** Records that chains were looked for in these minutes, as they were then. */
export async function markChained(client: ClickHouseClient, minutes: DirtyTraceMinute[]): Promise<void> {
  if (minutes.length === 0) return
  await run(
    client,
    `INSERT INTO trace_minute_chained (minute, records, version)
     SELECT fromUnixTimestamp(row.1), row.2, toUnixTimestamp64Milli(now64(3))
     FROM (SELECT arrayJoin(arrayZip({minutes:Array(UInt32)}, {records:Array(UInt64)})) AS row)`,
    { minutes: minutes.map(({ minute }) => minute / 1000), records: minutes.map(({ records }) => records) },
  )
}

/** The zero id: a line without a trace context, a span from before trace ids were kept. */
const TRACED = "trace_id != toFixedString('', 16)"
const MINUTES = 'toStartOfMinute(time) IN arrayMap(m -> fromUnixTimestamp(m), {minutes:Array(UInt32)})'
const RANGE = "time >= {since:DateTime('UTC')} AND time < {until:DateTime('UTC')}"
const near = (from: string, to: string) =>
  `time >= ${from} - INTERVAL ${REACH_MINUTES} MINUTE AND time < ${to} + INTERVAL ${REACH_MINUTES} MINUTE`
const NEAR = near("{since:DateTime('UTC')}", "{until:DateTime('UTC')}")
const LINE = `${TRACED} AND stage = 'end' AND reporter IN ('source', 'gateway', 'destination')`

/**
 * Minutes in which the traces of the given minutes have anything: a chain is counted in the minute where it begins, which may be
 * another than the one that changed, and may have been another before.
 */
export async function minutesOfTraces(client: ClickHouseClient, minutes: number[]): Promise<number[]> {
  if (minutes.length === 0) return []
  const changed = `SELECT trace_id FROM span WHERE ${TRACED} AND ${MINUTES} UNION DISTINCT SELECT trace_id FROM request WHERE ${LINE} AND ${MINUTES}`
  const first = "{first:DateTime('UTC')}"
  const last = "{last:DateTime('UTC')}"
  const rows = await query<{ minute: number }>(
    client,
    `SELECT DISTINCT toUnixTimestamp(toStartOfMinute(time)) * 1000 AS minute FROM (
       SELECT time, trace_id FROM span WHERE ${TRACED} AND ${near(first, last)}
       UNION ALL SELECT time, trace_id FROM request WHERE ${LINE} AND ${near(first, last)})
     WHERE trace_id IN (${changed})`,
    {
      minutes: minutes.map((minute) => minute / 1000),
      first: Math.min(...minutes) / 1000,
      last: Math.max(...minutes) / 1000 + 60,
    },
    'jobs',
  )
  return rows.map(({ minute }) => minute)
}

/** Spans and lines of traces by minute, of all minutes between the first and the last that are given. Milliseconds since 1970. */
export async function recordsByMinute(
  client: ClickHouseClient,
  minutes: ReadonlySet<number>,
): Promise<Map<number, number>> {
  const ordered = [...minutes].sort((a, b) => a - b)
  const [first, last] = [ordered[0], ordered.at(-1)]
  if (first === undefined || last === undefined) return new Map()
  const rows = await query<DirtyTraceMinute>(
    client,
    `SELECT toUnixTimestamp(m.minute) * 1000 AS minute, sum(m.records) AS records FROM trace_minute AS m
     WHERE m.minute >= {first:DateTime('UTC')} AND m.minute <= {last:DateTime('UTC')} GROUP BY m.minute`,
    { first: first / 1000, last: last / 1000 },
    'jobs',
  )
  return new Map(rows.map(({ minute, records }) => [minute, records]))
}

const named = (namespace: string, name: string) =>
  `if(${namespace} = '' OR ${name} = '', ${name}, concat(${namespace}, '/', ${name}))`
const CALLEE_NAME = `multiIf(destination_workload != '', toString(destination_workload), destination_service != '', splitByChar('.', toString(destination_service))[1],
  splitByString('/sa/', toString(destination_principal))[2])`
const CALLER_NAME = `if(source_workload != '', toString(source_workload), splitByString('/sa/', toString(source_principal))[2])`

/** A gateway's certificate is not its callee's. It is the caller's of what came from outside. */
const PASSED_ON = "reporter = 'gateway' AND (destination_workload != '' OR destination_service != '')"
const CALLEE_PRINCIPAL = `if(${PASSED_ON}, '', toString(destination_principal))`
const CALLER_PRINCIPAL = `toString(if(${PASSED_ON} AND source_principal = '', destination_principal, source_principal))`

const records = (where: string) => `
  SELECT trace_id, tuple(toUnixTimestamp64Micro(time), span_key, parent_key, toString(kind), ${named('toString(namespace)', 'toString(workload)')},
    ${named('toString(namespace)', 'toString(service)')}, '', '', '', toString(method), path, path_rank, duration_us, '', '', is_database) AS record
  FROM span WHERE ${where} AND ${TRACED}
  UNION ALL
  SELECT trace_id, tuple(toUnixTimestamp64Micro(time), sipHash64(trace_id, span_id), toUInt64(0), toString(reporter), ${named('toString(destination_namespace)', CALLEE_NAME)},
    '', ${named('toString(source_namespace)', CALLER_NAME)}, ${CALLEE_PRINCIPAL}, ${CALLER_PRINCIPAL}, toString(method), toString(shape), toUInt8(if(protocol = 'grpc', 1, 3)), duration_us, toString(user_issuer), user_subject, false) AS record
  FROM request WHERE ${where} AND ${LINE}`

/**
 * A trace's records, ordered, so that what is cut does not depend on the order of arrival. Calls to databases are not service
 * calls: their spans are left out, but for those that others need, or that tell of a parent which is missing.
 */
const GATHERED = `
  groupArraySorted(${TRACE_RECORDS_MAX})(record) AS sorted, arrayMap(r -> r.2, sorted) AS keys, arrayMap(r -> r.3, sorted) AS parents,
  arrayMap(r -> (r.1, toString(r.2), if(r.3 = 0, '', toString(r.3)), r.4, r.5, r.6, r.7, r.8, r.9, r.10, r.11, r.12, r.13, r.14, r.15, r.16),
    arrayFilter(r -> NOT r.16 OR has(parents, r.2) OR (r.3 != 0 AND NOT has(keys, r.3)), sorted)) AS records`

type RecordRow = [
  number,
  string,
  string,
  RecordKind,
  string,
  string,
  string,
  string,
  string,
  string,
  string,
  number,
  number,
  string,
  string,
  boolean,
]

interface TraceRow extends Omit<Trace, 'records'> {
  records: RecordRow[]
}

function toTrace({ id, total, began, records }: TraceRow): Trace {
  return {
    ...{ id, total, began },
    records: records.map(
      ([
        at,
        key,
        parent,
        kind,
        place,
        service,
        caller,
        calleePrincipal,
        callerPrincipal,
        method,
        path,
        pathRank,
        durationUs,
        userIssuer,
        userSubject,
        isDatabase,
      ]) => ({
        ...{ at, key, parent, kind, place, service, caller, calleePrincipal, callerPrincipal },
        ...{ method, path, pathRank, durationUs, userIssuer, userSubject, isDatabase },
      }),
    ),
  }
}

/** Traces that begin in a range, by id; `part` of `parts`, by the hash of the id. */
export async function tracesBeginningIn(
  client: ClickHouseClient,
  range: MinuteRange,
  part: number,
  parts: number,
): Promise<Trace[]> {
  const mine = 'sipHash64(trace_id) % {parts:UInt32} = {part:UInt32}'
  const present = `SELECT trace_id FROM span WHERE ${TRACED} AND ${RANGE} AND ${mine} UNION DISTINCT SELECT trace_id FROM request WHERE ${LINE} AND ${RANGE} AND ${mine}`
  const rows = await query<TraceRow>(
    client,
    `SELECT lower(hex(trace_id)) AS id, total, began, records FROM (
       SELECT trace_id, count() AS total, min(record.1) AS began, ${GATHERED}
       FROM (${records(`${NEAR} AND trace_id IN (${present})`)}) GROUP BY trace_id
       HAVING began >= toInt64({since_us:UInt64}) AND began < toInt64({until_us:UInt64}))
     ORDER BY id`,
    {
      since: range.since / 1000,
      until: range.until / 1000,
      since_us: range.since * 1000,
      until_us: range.until * 1000,
      part,
      parts,
    },
    'jobs',
  )
  return rows.map(toTrace)
}

/** One trace, whenever it was; undefined where nothing has its id. @param id 32 hexadecimal digits */
export async function traceById(client: ClickHouseClient, id: string): Promise<Trace | undefined> {
  const rows = await query<TraceRow>(
    client,
    `SELECT lower(hex(trace_id)) AS id, total, began, records FROM (
       SELECT trace_id, count() AS total, min(record.1) AS began, ${GATHERED} FROM (${records('trace_id = unhex({id:String})')}) GROUP BY trace_id)`,
    { id },
  )
  return rows[0] && toTrace(rows[0])
}
