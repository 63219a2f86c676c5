import type { ClickHouseClient } from '@clickhouse/client'
import type { Pod } from '../../model/inventory.ts'
import { query } from '../store.ts'
import { DECLARED_HOLD } from './join-addresses.ts'
import { joinedCalls } from './joined.ts'
import {
  bounds,
  IN_ENDS,
  IS_PARTIAL,
  iso,
  type KeptHours,
  keptOnly,
  partialHours,
  type Window,
  wholeDays,
  within,
} from './rollups.ts'

/** Of an address that is told, its replica's bit; that of `replica_mark` in `migrations`. */
export const replicaMark = (address: string) => `bitShiftLeft(toUInt256(1), toUInt8(sipHash64(${address}) % 256))`

/** The caller's replicas behind one edge's operation. */
export interface ReplicaRow {
  /** 32 hexadecimal digits, as the operation's row has it. */
  edge: string
  method: string
  shape: string
  path_flags: number
  /** Hexadecimal: see `model/marks.ts`. */
  marks: string
}

/**
 * The replicas behind a window's operations, as far as they are told.
 * @param partial as for `operationRows`
 */
export async function replicaRows(
  client: ClickHouseClient,
  window: Window,
  partial: KeptHours = new Map(),
): Promise<ReplicaRow[]> {
  const isPartial = partial.size > 0
  const usage = (table: string, when: string) =>
    `SELECT edge, method, shape, path_flags, replicas FROM ${table} WHERE replicas != 0 AND ${when}`
  const isDay = `day >= {first_day:Date} AND day < {last_day:Date} ${isPartial ? `AND NOT (${IS_PARTIAL})` : ''}`
  const isHour = `(${IN_ENDS} ${isPartial ? `OR ${within('hour')} AND ${IS_PARTIAL}` : ''}) ${keptOnly(isPartial, 'edge', 'hour')}`
  return await query<ReplicaRow>(
    client,
    `SELECT lower(hex(edge)) AS edge, method, shape, path_flags, lower(hex(groupBitOr(u.replicas))) AS marks FROM (
       ${usage('operation_usage_day', isDay)}
       UNION ALL
       ${usage('operation_usage', isHour)}
       UNION ALL
       SELECT joined_edge AS edge, method, shape, path_flags, replicas FROM ${joinedCalls()} WHERE replicas != 0 ${keptOnly(isPartial, 'joined_edge', 'hour')}
     ) AS u GROUP BY edge, method, shape, path_flags`,
    { ...bounds(window), ...wholeDays(window), ...partialHours(partial) },
  )
}

/** The Pods that were declared to run in a window, less those in their nodes' network: whoever else is there has the same address. */
export async function declaredPods(client: ClickHouseClient, window: Window): Promise<Pod[]> {
  return await query<Pod>(
    client,
    `SELECT cluster, namespace, workload, pod, max(held.image_of) AS image, lower(hex(groupBitOr(${replicaMark('address')}))) AS marks,
       ${iso('min(held.since)')} AS since, ${iso('max(held.last)')} AS until
     FROM (
       SELECT cluster, namespace, workload, pod, address, since, max(d.until) + ${DECLARED_HOLD} AS last, max(d.image) AS image_of
       FROM declared_address AS d WHERE workload != '' AND NOT shared GROUP BY cluster, namespace, workload, pod, address, since
     ) AS held
     WHERE held.last >= {since:DateTime('UTC')} AND held.since < {until:DateTime('UTC')} GROUP BY cluster, namespace, workload, pod ORDER BY cluster, namespace, pod`,
    bounds(window),
  )
}
