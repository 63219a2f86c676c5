import type { ClickHouseClient } from '@clickhouse/client'
import type { OutboundTeller } from '../../model/egress.ts'
import { query } from '../store.ts'
import { bounds, type Window, within } from './rollups.ts'

/** Namespaces whose own proxies told of the calls that are made there, and on how many days of a window. */
export async function outboundTellers(client: ClickHouseClient, window: Window): Promise<OutboundTeller[]> {
  return await query<OutboundTeller>(
    client,
    `SELECT source_cluster AS cluster, source_namespace AS namespace, uniqExact(toDate(u.hour)) AS days
     FROM edge_usage_hour AS u INNER JOIN (
       SELECT DISTINCT edge, source_cluster, source_namespace FROM edge WHERE reporter = 'source' AND source_namespace != '') AS e USING edge
     WHERE ${within('u.hour')} GROUP BY cluster, namespace ORDER BY cluster, namespace`,
    bounds(window),
  )
}
