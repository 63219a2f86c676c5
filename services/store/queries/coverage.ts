import type { ClickHouseClient } from '@clickhouse/client'
import { query } from '../store.ts'

/** What a sender's facts of its newest day tell: shares from 0 to 1. `accepted` and `rejected` count all that it ever sent. */
export interface Coverage {
  source: string
  sender: string
  cluster: string
  accepted: number
  rejected: number
  facts: number
  with_principal: number
  with_destination: number
  with_port: number
  with_trace: number
  with_tls: number
  by_destination: number
}

export async function fieldCoverage(client: ClickHouseClient, source: string): Promise<Coverage[]> {
  return await query<Coverage>(
    client,
    `SELECT b.source AS source, b.sender AS sender, b.cluster AS cluster, b.accepted AS accepted, b.rejected AS rejected, f.* EXCEPT (source, sender, cluster)
     FROM (
       SELECT source_format AS source, sender, cluster, sum(i.accepted) AS accepted, sum(i.rejected) AS rejected FROM ingest_batch AS i
       WHERE {source:String} = '' OR source_format = {source:String} GROUP BY source, sender, cluster) AS b
     LEFT JOIN (
       SELECT
         source_format AS source, sender, cluster, count() AS facts, avg(source_principal != '') AS with_principal,
         avg(destination_workload != '' OR destination_service != '' OR destination_principal != '') AS with_destination, avg(workload_port != 0) AS with_port,
         avg(trace_id != toFixedString('', 16)) AS with_trace, avg(mtls != 'unknown') AS with_tls, avg(reporter = 'destination') AS by_destination
       FROM request AS r
       INNER JOIN (SELECT source_format, sender, cluster, max(i.last_time) AS newest FROM ingest_batch AS i GROUP BY source_format, sender, cluster) AS n USING (source_format, sender, cluster)
       WHERE r.time > n.newest - INTERVAL 1 DAY GROUP BY source, sender, cluster) AS f USING (source, sender, cluster)
     ORDER BY source, sender, cluster`,
    { source },
  )
}
