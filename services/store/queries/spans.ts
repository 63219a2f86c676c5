import type { ClickHouseClient } from '@clickhouse/client'
import { LIMITS, query, run } from '../store.ts'

/** What is paired at a time. A stored slot keeps its width: another one takes a migration that empties the tables of slots. */
export const SLOT_MS = 2000

/** A half-open range of minutes, in milliseconds since 1970. */
export interface MinuteRange {
  since: number
  until: number
}

export interface DirtyMinute {
  minute: number
  spans: number
}

export interface ChangedSlot {
  /** Its start, milliseconds since 1970. */
  slot: number
  spans: number
  /** When the last of its spans ended; no later than a day after the slot. */
  until: number
  /** Whether it holds more spans than when it was last paired; else it was paired before its parents of long ago were looked for. */
  isChanged: boolean
}

/** Minutes that hold more spans than when they were last paired. */
export async function dirtyMinutes(client: ClickHouseClient): Promise<DirtyMinute[]> {
  return await query<DirtyMinute>(
    client,
    `SELECT toUnixTimestamp(minute) * 1000 AS minute, spans
     FROM (SELECT minute, sum(m.spans) AS spans FROM span_minute AS m GROUP BY minute) AS now
     LEFT JOIN (SELECT minute, spans AS paired FROM span_minute_paired FINAL) AS before USING minute
     WHERE spans != paired ORDER BY minute`,
    {},
    'jobs',
  )
}

const slotOf = (time: string) => `toStartOfInterval(${time}, INTERVAL ${SLOT_MS / 1000} SECOND)`

const IN_MINUTES = (time: string) =>
  `toStartOfMinute(${time}) IN (SELECT fromUnixTimestamp(arrayJoin({minutes:Array(UInt32)})))`

/**
 * Of microseconds, as the column: of `time < toDateTime('… 10:01:00')` the engine's index thinks that 10:00:59.999 is not before it
 * (26.7), and leaves the part out.
 */
const bound = (name: string) => `fromUnixTimestamp64Micro({${name}:Int64}, 'UTC')`

const SLOTS = '(SELECT fromUnixTimestamp(arrayJoin({slots:Array(UInt32)})))'

const IN_SLOTS = `time >= ${bound('since')} AND time < ${bound('until')} AND ${slotOf('time')} IN ${SLOTS}`

/** Slots of some minutes that were not paired as they are now. What was written days ago may be gone, and does not count. */
export async function changedSlots(client: ClickHouseClient, minutes: number[]): Promise<ChangedSlot[]> {
  if (minutes.length === 0) return []
  const rows = await query<{ slot: number; spans: number; until: number; is_changed: number }>(
    client,
    `SELECT toUnixTimestamp(slot) * 1000 AS slot, spans, toUnixTimestamp(last) * 1000 AS until, spans != paired AS is_changed
     FROM (
       SELECT ${slotOf('time')} AS slot, count() AS spans, max(time + toIntervalMicrosecond(least(duration_us, 86400000000))) AS last
       FROM span WHERE ${IN_MINUTES('time')} GROUP BY slot
     ) AS now
     LEFT JOIN (
       SELECT slot, spans AS paired, is_settled FROM span_slot_paired FINAL WHERE ${IN_MINUTES('slot')} AND written >= today() - 1
     ) AS before USING slot
     WHERE spans != paired OR NOT is_settled ORDER BY slot`,
    { minutes: minutes.map(seconds) },
    'jobs',
  )
  return rows.map(({ is_changed, ...row }) => ({ ...row, isChanged: is_changed === 1 }))
}

/**
 * Slots that hold children of the given slots' spans: children that were paired before their parent came. They begin at most a
 * minute before it, by a clock that is behind, and at most a minute after the last of the spans ended.
 */
export async function slotsOfChildren(client: ClickHouseClient, parents: ChangedSlot[]): Promise<number[]> {
  if (parents.length === 0) return []
  const rows = await query<{ slot: number }>(
    client,
    `SELECT DISTINCT toUnixTimestamp(${slotOf('child.time')}) * 1000 AS slot FROM span AS child
     WHERE child.time >= ${bound('since')} - INTERVAL 1 MINUTE AND child.time < ${bound('ended')} + INTERVAL 1 MINUTE
       AND ${IS_CHILD} AND parent_key IN (SELECT span_key FROM span WHERE ${IN_SLOTS})`,
    {
      ...slotParams(parents.map(({ slot }) => slot)),
      ended: (Math.max(...parents.map(({ until }) => until)) + 1000) * 1000,
    },
    'jobs',
  )
  return rows.map(({ slot }) => slot)
}

export async function markSlots(
  client: ClickHouseClient,
  slots: ChangedSlot[],
  isSettled: (slot: number) => boolean,
): Promise<void> {
  if (slots.length === 0) return
  await run(
    client,
    `INSERT INTO span_slot_paired (slot, spans, is_settled, version)
     SELECT fromUnixTimestamp(marks.1), marks.2, marks.3, toUnixTimestamp64Milli(now64(3))
     FROM (SELECT arrayJoin(arrayZip({slots:Array(UInt32)}, {spans:Array(UInt64)}, {settled:Array(UInt8)})) AS marks)`,
    {
      slots: slots.map(({ slot }) => seconds(slot)),
      spans: slots.map(({ spans }) => spans),
      settled: slots.map(({ slot }) => Number(isSettled(slot))),
    },
  )
}

export async function markPaired(client: ClickHouseClient, minutes: DirtyMinute[]): Promise<void> {
  if (minutes.length === 0) return
  await run(
    client,
    `INSERT INTO span_minute_paired (minute, spans, version)
     SELECT fromUnixTimestamp(m), s, toUnixTimestamp64Milli(now64(3)) FROM (SELECT arrayJoin(arrayZip({minutes:Array(UInt32)}, {spans:Array(UInt64)})) AS pair, pair.1 AS m, pair.2 AS s)`,
    { minutes: minutes.map(({ minute }) => minute / 1000), spans: minutes.map(({ spans }) => spans) },
  )
}

const seconds = (ms: number) => Math.floor(ms / 1000)

/** @param slots not empty */
function slotParams(slots: number[]): { slots: number[]; since: number; until: number } {
  return {
    slots: slots.map(seconds),
    since: Math.min(...slots) * 1000,
    until: (Math.max(...slots) + SLOT_MS) * 1000,
  }
}

const CALL_KEY =
  'cluster, destination_namespace, destination_workload, source_cluster, source_namespace, source_workload, unpaired, protocol, method, shape, path_flags'

/**
 * Pairs the spans that start in some slots with their parents, and writes the slots' calls anew.
 *
 * A call is a span whose parent belongs to another service; client spans are not the callee's. Parents are looked for in the
 * seconds around the slots, then, if asked for, in the day before (streams, slow parents) for those still alone. A span has one
 * parent: where several spans claim the same id, any one of them stands for it, else a sender that repeats ids would make a call
 * of each pair. A call that is no longer found is written as zero.
 * @param slots not empty, none further apart than the memory of one statement reaches
 */
export async function writeSlotCalls(client: ClickHouseClient, slots: number[], isFar: boolean): Promise<void> {
  const calls = callsOf(isFar ? `${NEAR_PARENTS} UNION ALL ${FAR_PARENTS}` : NEAR_PARENTS)
  await run(
    client,
    `INSERT INTO span_call_slot (slot, ${CALL_KEY}, requests, not_found, first_seen, last_seen, version)
     SELECT slot, ${CALL_KEY}, sum(n) AS requests, sum(nothing) AS not_found, min(first), max(last), toUnixTimestamp64Milli(now64(3))
     FROM (
       SELECT slot, ${CALL_KEY}, count() AS n, countIf(answer IN (404, 405)) AS nothing, min(time) AS first, max(time) AS last FROM (${calls}) GROUP BY slot, ${CALL_KEY}
       UNION ALL
       SELECT slot, ${CALL_KEY}, 0 AS n, 0 AS nothing, first_seen AS first, last_seen AS last FROM span_call_slot FINAL
       WHERE slot IN ${SLOTS}
     )
     GROUP BY slot, ${CALL_KEY}
     SETTINGS ${LIMITS.jobs}`,
    slotParams(slots),
  )
}

/** Writes the calls of some minutes anew, as the sums of their slots. A call that is no longer in them is written as zero. */
export async function writeCalls(client: ClickHouseClient, minutes: number[]): Promise<void> {
  await run(
    client,
    `INSERT INTO span_call (minute, ${CALL_KEY}, requests, not_found, first_seen, last_seen, version)
     SELECT minute, ${CALL_KEY}, sum(n) AS requests, sum(nothing) AS not_found, min(first), max(last), toUnixTimestamp64Milli(now64(3))
     FROM (
       SELECT toStartOfMinute(slot) AS minute, ${CALL_KEY}, requests AS n, not_found AS nothing, first_seen AS first, last_seen AS last FROM span_call_slot FINAL
       WHERE ${IN_MINUTES('slot')} AND n > 0
       UNION ALL
       SELECT minute, ${CALL_KEY}, 0 AS n, 0 AS nothing, first_seen AS first, last_seen AS last FROM span_call FINAL WHERE ${IN_MINUTES('minute')}
     )
     GROUP BY minute, ${CALL_KEY}
     SETTINGS ${LIMITS.jobs}`,
    { minutes: minutes.map(seconds) },
  )
}

/** Spans that may be entries of a service: a database client or any other client span is its caller's. */
const IS_CHILD = "kind NOT IN ('client', 'producer')"

const COLUMNS =
  'span_key, parent_key, time, cluster, namespace, workload, service, kind, protocol, method, path, path_flags, path_rank, status'

const CHILDREN = `SELECT DISTINCT ${COLUMNS} FROM span WHERE ${IN_SLOTS} AND ${IS_CHILD}`

const PARENT_KEYS = `SELECT parent_key FROM span WHERE ${IN_SLOTS} AND ${IS_CHILD} AND parent_key != 0`

/** By clocks that differ, and of calls that take long: what is further away is looked for once the slot has settled. */
const NEAR = `time >= ${bound('since')} - INTERVAL 10 SECOND AND time < ${bound('until')} + INTERVAL 10 SECOND`

const NEAR_PARENTS = `SELECT ${COLUMNS} FROM span WHERE ${NEAR} AND span_key IN (${PARENT_KEYS})`

const FAR_PARENTS = `
  SELECT ${COLUMNS} FROM span
  WHERE time >= ${bound('since')} - INTERVAL 1 DAY AND time < ${bound('until')} + INTERVAL 1 MINUTE
    AND span_key IN (${PARENT_KEYS} AND parent_key NOT IN (SELECT span_key FROM span WHERE ${NEAR} AND span_key IN (${PARENT_KEYS})))`

/** Operations that spans within a service name, of the requests of the same slot only, which is paired anew as one; of several the first by name. */
const NAMES = `
  SELECT parent_key AS of, ${slotOf('time')} AS slot, min(path) AS name FROM span
  WHERE ${IN_SLOTS} AND kind = 'internal' AND parent_key != 0 AND startsWith(path, '#') GROUP BY of, slot`

const callsOf = (parents: string) => `
  SELECT
    ${slotOf('child.time')} AS slot, child.time AS time,
    child.cluster AS cluster, child.namespace AS destination_namespace, child.workload AS destination_workload,
    parent.cluster AS source_cluster, parent.namespace AS source_namespace, parent.workload AS source_workload,
    multiIf(child.parent_key = 0, 'root', parent.span_key = 0, 'unpaired', '') AS unpaired,
    if(child.protocol != 'unknown', child.protocol, if(parent.kind = 'client', parent.protocol, 'unknown')) AS protocol,
    if(child.status != 0 OR parent.kind != 'client', child.status, parent.status) AS answer,
    -- A gRPC call is POST; otherwise whichever side tells the method. A parent that is no client tells of its own request.
    multiIf(child.method != '', child.method, parent.kind = 'client', parent.method, '') AS method,
    parent.kind = 'client' AND parent.path_rank > child.path_rank AS parent_knows_path,
    if(parent_knows_path, parent.path, child.path) AS told_path,
    -- A GraphQL server names the operation in a span below the one of the request, or the client in its URL.
    concat(told_path, multiIf(
      position(told_path, '#') > 0, '', position(child.path, '#') > 0, extract(child.path, '#.*'),
      inner.name != '', inner.name, parent.kind = 'client', extract(parent.path, '#.*'), '')) AS shape,
    if(parent_knows_path, parent.path_flags, child.path_flags) AS path_flags
  FROM (${CHILDREN}) AS child
  LEFT ANY JOIN (${parents}) AS parent ON parent.span_key = child.parent_key
  LEFT ANY JOIN (${NAMES}) AS inner ON inner.of = child.span_key AND inner.slot = slot
  WHERE parent.span_key = 0 AND child.kind != 'internal' OR parent.span_key != 0 AND (parent.namespace != child.namespace OR parent.service != child.service)`
