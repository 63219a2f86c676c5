import type { ClickHouseClient } from '@clickhouse/client'
import type { Finding, FindingWord, Observation } from '../../model/finding.ts'
import { insertRows, query } from '../store.ts'

const RECORD = 'id String, check_id String, said String, version UInt64'
const WORD =
  'id String, version UInt64, at String, who String, why String, state String, owner String, until String, tolerated Float64'

/** Findings of one read: those of the last looks. */
const READ_MAX = 50_000

type Row = FindingWord & { id: string; check_id: string; said: string }

/** All findings, each with the last word on it. @param id of one finding, or the beginning of it; '' for all */
export async function readFindings(client: ClickHouseClient, { id = '', check = '' } = {}): Promise<Finding[]> {
  const rows = await query<Row>(
    client,
    `SELECT f.id AS id, check_id, said, w.word.1 AS at, w.word.2 AS who, w.word.3 AS why, toString(w.word.4) AS state, w.word.5 AS owner,
       w.word.6 AS until, w.word.7 AS tolerated
     FROM (SELECT * FROM finding FINAL WHERE startsWith(id, {id:String}) AND ({check:String} = '' OR check_id = {check:String})) AS f
     LEFT JOIN (
       SELECT id, argMax((at, who, why, state, owner, until, tolerated), version) AS word FROM finding_word GROUP BY id) AS w ON w.id = f.id
     ORDER BY f.version DESC, f.id LIMIT ${READ_MAX}`,
    { id, check },
  )
  return rows.map(({ check_id: of, said, ...word }) => ({ ...(JSON.parse(said) as Observation), check: of, ...word }))
}

/** Stores what is new of findings, and then the words that were said meanwhile. @param version later than any before */
export async function saveFindings(
  client: ClickHouseClient,
  findings: readonly Finding[],
  words: readonly Finding[],
  version: number,
): Promise<void> {
  const records = findings.map((finding) => {
    const { id, check, state: _1, who: _2, why: _3, at: _4, owner: _5, until: _6, tolerated: _7, ...said } = finding
    return { id, check_id: check, said: JSON.stringify(said), version }
  })
  await insertRows(client, 'finding', RECORD, records)
  const said = words.map(({ id, at, who, why, state, owner, until, tolerated }) => ({
    ...{ id, version, at, who, why, state, owner, until, tolerated },
  }))
  await insertRows(client, 'finding_word', WORD, said)
}

/** The version of what was said last, of any finding. */
export async function lastVersion(client: ClickHouseClient): Promise<number> {
  const [row] = await query<{ last: number }>(
    client,
    'SELECT max(version) AS last FROM (SELECT version FROM finding UNION ALL SELECT version FROM finding_word)',
    {},
    'jobs',
  )
  return row?.last ?? 0
}

/** All that was said of a finding, the first word first. */
export async function findingWords(client: ClickHouseClient, id: string): Promise<FindingWord[]> {
  return await query<FindingWord>(
    client,
    'SELECT at, who, why, toString(state) AS state, owner, until, tolerated FROM finding_word WHERE id = {id:String} ORDER BY version',
    { id },
  )
}
