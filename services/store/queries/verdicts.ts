import type { ClickHouseClient } from '@clickhouse/client'
import type { Verdict, VerdictDay } from '../../model/check.ts'
import { insertRows, query } from '../store.ts'

/** Keeps the verdicts of a day; those of the last look stand. @param day such as `2026-11-22` */
export async function saveVerdicts(
  client: ClickHouseClient,
  day: string,
  verdicts: readonly { id: string; verdict: Verdict }[],
  version: number,
): Promise<void> {
  await insertRows(
    client,
    'verdict_day',
    'requirement String, day Date, verdict String, version UInt64',
    verdicts.map(({ id, verdict }) => ({ requirement: id, day, verdict, version })),
  )
}

/** Verdicts by requirement and day. @param since day from which on @param requirement '' for all */
export async function verdictDays(client: ClickHouseClient, since: string, requirement: string): Promise<VerdictDay[]> {
  return await query<VerdictDay>(
    client,
    `SELECT requirement, toString(v.day) AS day, verdict FROM verdict_day AS v FINAL
     WHERE v.day >= toDate({since:String}) AND ({requirement:String} = '' OR requirement = {requirement:String}) ORDER BY requirement, v.day`,
    { since, requirement },
  )
}
