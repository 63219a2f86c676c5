import type { ClickHouseClient } from '@clickhouse/client'
import type { Evidence } from '../../model/evidence.ts'
import type { Reason } from '../../model/graph.ts'
import { query } from '../store.ts'
import { JOINED_EDGE, STANDS } from './joined.ts'
import { iso, type Window } from './rollups.ts'

/*
 * What the caller join says of lines that it named nobody for, or named against somebody's word.
 */

/** Why it named nobody; of a sender whose word does not count, the ladder's other rungs say who it would be. */
const NOBODY = [
  'two_callers',
  'contradicted',
  'relay',
  'unnamed_caller',
  'forwarded_address',
  'shared_address',
  'unknown_address',
] as const satisfies Reason[]

const WITHIN = `minute >= parseDateTimeBestEffort({since:String}, 'UTC') AND minute < parseDateTimeBestEffort({until:String}, 'UTC')`

export interface UnnamedRow {
  edge: string
  reason: Reason
  /** Each once, however often its line was sent; refused ones with them. */
  requests: number
}

/** Requests of a window whose caller the join found nobody for, by the edge that they are counted under and the reason. */
export async function unnamedRequests(client: ClickHouseClient, { since, until }: Window): Promise<UnnamedRow[]> {
  return await query<UnnamedRow>(
    client,
    `SELECT lower(hex(id)) AS edge, reason, sum(counted) AS requests FROM (
       SELECT if(${STANDS}, ${JOINED_EDGE}, edge) AS id, if(rung IN {nobody:Array(String)}, rung, 'untrusted_sender') AS reason, requests + denied AS counted
       FROM joined_call_hour FINAL WHERE ${WITHIN} AND source_evidence = 'none')
     WHERE counted > 0 GROUP BY id, reason ORDER BY id, reason`,
    { since, until, nobody: NOBODY },
  )
}

/** One word on who called, against another's. Requests count once, however often their lines were sent. */
export interface Disagreement {
  /** Who was called: namespace/workload, else the service, the identity or the address that its line tells. */
  callee: string
  /**
   * `claimed`: the caller says it is `said`, which is of another namespace than `caller`, whom the connection tells.
   * `two_callers`: `said` are two that both say that they opened the connection. `contradicted`: who used the connection (`said`, where
   * it is known) is not whose address it is. Of these two nobody is taken for the caller.
   */
  kind: 'claimed' | 'two_callers' | 'contradicted'
  caller: string
  evidence: Evidence
  said: string
  requests: number
  denied: number
  /** ISO 8601, UTC, microseconds. */
  first_seen: string
  last_seen: string
}

/** The disagreements of a window, those of the most requests first; `total`: of all, listed or not. */
export async function disagreementRows(
  client: ClickHouseClient,
  { since, until }: Window,
  max: number,
): Promise<(Disagreement & { total: number })[]> {
  return await query(
    client,
    `SELECT callee, kind, caller, evidence, said, sum(requests_of) AS requests, sum(denied_of) AS denied,
       ${iso('min(first_of)')} AS first_seen, ${iso('max(last_of)')} AS last_seen, count() OVER () AS total
     FROM (
       SELECT
         multiIf(j.gateway_workload != '', concat(j.gateway_namespace, '/', j.gateway_workload), j.gateway_service != '', j.gateway_service,
           e.destination_workload != '', concat(e.destination_namespace, '/', e.destination_workload), e.destination_service != '', e.destination_service,
           e.destination_principal != '', e.destination_principal, replaceOne(toString(e.destination_address), '::ffff:', '')) AS callee,
         if(j.source_evidence = 'none', j.rung, 'claimed') AS kind,
         multiIf(j.source_workload != '', concat(j.source_namespace, '/', j.source_workload), j.source_principal != '', j.source_principal, j.source_service) AS caller,
         toString(j.source_evidence) AS evidence, j.contradicts AS said, j.requests AS requests_of, j.denied AS denied_of, j.first_seen AS first_of, j.last_seen AS last_of
       FROM joined_call_hour AS j FINAL ANY LEFT JOIN edge AS e ON e.edge = j.edge
       WHERE ${WITHIN} AND (j.contradicts != '' OR j.source_evidence = 'none' AND j.rung IN ('two_callers', 'contradicted')) AND j.requests + j.denied > 0)
     GROUP BY callee, kind, caller, evidence, said
     ORDER BY requests + denied DESC, callee, kind, caller, evidence, said
     LIMIT {max:UInt32}`,
    { since, until, max },
  )
}
