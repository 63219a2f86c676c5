import type { ClickHouseClient } from '@clickhouse/client'
import type { Attestation } from '../../model/attestation.ts'
import { insertRows, query } from '../store.ts'

const WORD =
  'requirement String, version UInt64, at String, who String, why String, owner String, until String, withdrawn UInt8'

/** The last word on each requirement, also those whose end is past; without what was withdrawn. */
export async function readAttestations(client: ClickHouseClient): Promise<Attestation[]> {
  return await query<Attestation>(
    client,
    `SELECT requirement, word.1 AS at, word.2 AS who, word.3 AS why, word.4 AS owner, word.5 AS until
     FROM (SELECT requirement, argMax((at, who, why, owner, until, withdrawn), version) AS word FROM attestation GROUP BY requirement)
     WHERE word.6 = 0 ORDER BY requirement`,
  )
}

/** Appends a word. Of two at once the later one holds. */
export async function sayAttestation(
  client: ClickHouseClient,
  attestation: Attestation,
  withdrawn: boolean,
  version: number,
): Promise<void> {
  await insertRows(client, 'attestation', WORD, [{ ...attestation, version, withdrawn: withdrawn ? 1 : 0 }])
}
