import type { ClickHouseClient } from '@clickhouse/client'
import { query } from '../store.ts'

/** Identities that proxies tell of themselves, and the clusters that they are in; a certificate of the callee's own, never a caller's word. */
export async function ownPrincipals(client: ClickHouseClient): Promise<{ principal: string; cluster: string }[]> {
  return await query(
    client,
    `SELECT DISTINCT destination_principal AS principal, cluster FROM edge
     WHERE reporter = 'destination' AND destination_principal != '' AND cluster != '' ORDER BY principal, cluster`,
  )
}
