import type { ClickHouseClient } from '@clickhouse/client'
import { insertRows, query } from '../store.ts'

/** A registered sender. `speaksFor` is a regular expression over `namespace/workload`, '' for all; the cap is a number of EVIDENCE. */
export interface SenderRow {
  id: string
  token_hash: string
  sources: string[]
  cluster: string
  speaks_for: string
  evidence_cap: number
  revoked: boolean
  /** The SPIFFE ID in its certificate, '' for a sender with a token. */
  spiffe: string
}

const STRUCTURE =
  'id String, token_hash String, sources Array(String), cluster String, speaks_for String, evidence_cap UInt8, revoked Bool, spiffe String'

export async function saveSender(client: ClickHouseClient, sender: SenderRow): Promise<void> {
  await insertRows(client, 'sender', STRUCTURE, [sender])
}

export async function readSenders(client: ClickHouseClient): Promise<SenderRow[]> {
  return await query<SenderRow>(
    client,
    'SELECT id, token_hash, sources, cluster, speaks_for, evidence_cap, revoked, spiffe FROM sender FINAL ORDER BY id',
  )
}
