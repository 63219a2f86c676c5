import type { ClickHouseClient } from '@clickhouse/client'
import { query } from '../store.ts'
import { type EdgeRow, iso, type Window } from './rollups.ts'

const WITHIN = "hour >= {since:DateTime('UTC')} AND hour < {until:DateTime('UTC')}"
const PROXY = "if(instance = '', toString(target), instance)"

/**
 * Each proxy's counters once: they may come from its own page and from two Prometheus that scrape it. Of the roads that told of a
 * metric of a proxy in an hour, the one that counted most is taken.
 */
const ONCE = `
  SELECT * FROM metric_hour FINAL WHERE ${WITHIN} AND requests > 0 AND (hour, cluster, ${PROXY}, metric, sender, target) IN (
    SELECT hour, cluster, proxy, metric, most.1, most.2 FROM (
      SELECT hour, cluster, proxy, metric, argMax((sender, target), (n, sender, target)) AS most FROM (
        SELECT hour, cluster, ${PROXY} AS proxy, metric, sender, target, sum(requests) AS n FROM metric_hour FINAL
        WHERE ${WITHIN} AND requests > 0 GROUP BY hour, cluster, proxy, metric, sender, target)
      GROUP BY hour, cluster, proxy, metric))`

const DESTINATION =
  'cluster, destination_namespace, destination_workload, destination_service, destination_principal, destination_kind'
const SOURCE = 'source_cluster, source_namespace, source_workload, source_principal, source_evidence'

/** What a proxy refused, as far as its counters tell: the status may be the application's own. */
const REFUSED = "(measure = 'decisions' OR startsWith(metric, 'istio_') AND status IN (401, 403))"

/** True where counters came in the window. Asked first: the graph is not to wait for the analysis of the query below. */
async function hasMetricEdges(client: ClickHouseClient, window: Window): Promise<boolean> {
  return (await query(client, `SELECT 1 FROM metric_hour WHERE ${WITHIN} LIMIT 1`, bounds(window))).length > 0
}

/** Edges as the proxies count them: no ports, methods or paths. Refused requests are counted apart. */
export async function metricEdgeRows(client: ClickHouseClient, window: Window): Promise<EdgeRow[]> {
  if (!(await hasMetricEdges(client, window))) return []
  return await query<EdgeRow>(
    client,
    `SELECT ${DESTINATION}, '::' AS destination_address, ${SOURCE}, '::' AS source_address, reporter, '' AS unpaired,
       0 AS service_port, 0 AS workload_port, protocol, mtls,
       sumIf(m.requests, NOT ${REFUSED}) AS requests, sumIf(m.requests, ${REFUSED}) AS denied,
       ${iso('min(m.first_seen)')} AS first_seen, ${iso('max(m.last_seen)')} AS last_seen
     FROM (${ONCE}) AS m
     WHERE measure IN ('requests', 'connections') OR metric = 'inbound_http_authz_deny_total'
     GROUP BY ${DESTINATION}, ${SOURCE}, reporter, protocol, mtls`,
    bounds(window),
  )
}

/** Requests to one callee in an hour, as access logs or as counters tell. `hour` is ISO 8601, UTC. */
export type CalleeHourRow = EdgeRow & {
  hour: string
  measure: 'requests' | 'connections'
  /** Longest time between two samples, in seconds; 0 for logs. */
  gap_s: number
}

const CALLEE = `${DESTINATION}, '' AS source_cluster, '' AS source_namespace, '' AS source_workload, '' AS source_principal, 'none' AS source_evidence,
  '::' AS source_address, reporter, '' AS unpaired, 0 AS service_port, 0 AS workload_port, 'unknown' AS mtls`
const HOUR = "formatDateTime(hour, '%FT%TZ') AS hour"

/** What one channel of access logs tells; `mark` is the least of its requests', as in `UsageRow`. */
export type LoggedRow = CalleeHourRow & { channel: string; mark: number }

/** What access logs tell of every callee, by the hour, by who reported and in which channel; refused requests included. */
export async function loggedByCallee(client: ClickHouseClient, window: Window): Promise<LoggedRow[]> {
  return await query<LoggedRow>(
    client,
    `SELECT ${HOUR}, ${CALLEE}, destination_address, if(e.protocol = 'tcp', 'connections', 'requests') AS measure, any(toString(e.protocol)) AS protocol,
       sum(e.requests) + sum(e.denied) AS requests, 0 AS denied, 0 AS gap_s, '' AS first_seen, '' AS last_seen,
       concat(source_format, ' ', sender) AS channel, min(e.mark) AS mark
     FROM (
       SELECT hour, requests, denied, mark, edge.* FROM (SELECT * FROM edge_usage_hour WHERE ${WITHIN}) AS usage ANY LEFT JOIN edge ON edge.edge = usage.edge
     ) AS e WHERE reporter IN ('destination', 'source')
     GROUP BY e.hour, ${DESTINATION}, destination_address, reporter, measure, channel`,
    bounds(window),
  )
}

/** What counters tell of every callee, by the hour and by who reported. */
export async function countedByCallee(client: ClickHouseClient, window: Window): Promise<CalleeHourRow[]> {
  return await query<CalleeHourRow>(
    client,
    `SELECT ${HOUR}, ${CALLEE}, '::' AS destination_address, measure, any(protocol) AS protocol, sum(m.requests) AS requests, 0 AS denied, max(m.gap_s) AS gap_s,
       '' AS first_seen, '' AS last_seen
     FROM (${ONCE}) AS m WHERE measure IN ('requests', 'connections') AND reporter IN ('destination', 'source')
     GROUP BY m.hour, ${DESTINATION}, reporter, measure`,
    bounds(window),
  )
}

function bounds(window: Window): { since: string; until: string } {
  const text = (time: string) => new Date(time).toISOString().slice(0, 19).replace('T', ' ')
  return { since: text(window.since), until: text(window.until) }
}
