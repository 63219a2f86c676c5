import { createHash } from 'node:crypto'
import type { ClickHouseClient } from '@clickhouse/client'
import type { DraftContent, DraftId, LogEntry, Said } from '../../model/lifecycle.ts'
import { insertRows, query, run } from '../store.ts'

const ENTRY = 'seq UInt64, at String, who String, why String, said String, previous String, hash String'
const DRAFT = 'target String, callee String, digest String, version String, part UInt32, parts UInt32, content String'
/** A statement holds 256 KiB: what a draft says comes in parts. */
const PART_BYTES = 32 << 10

/** The log from its beginning; of entries with one number, all. What is no JSON any more is told as it is. */
export async function readPolicyLog(client: ClickHouseClient): Promise<LogEntry[]> {
  const rows = await query<Omit<LogEntry, 'said'> & { said: string }>(
    client,
    'SELECT seq, at, who, why, said, previous, hash FROM policy_log ORDER BY seq, hash',
  )
  return rows.map((row) => ({ ...row, said: parsed(row.said) }))
}

function parsed(text: string): Said {
  try {
    return JSON.parse(text) as Said
  } catch {
    // Somebody changed it: the hash says so, and the entry does nothing.
    return { about: 'unreadable' }
  }
}

/**
 * Appends entries in one block; when another writer continued the same entry before, the engine takes none of them, which the
 * caller sees by reading them.
 */
export async function appendPolicyLog(client: ClickHouseClient, entries: readonly LogEntry[]): Promise<void> {
  const rows = entries.map(({ said, ...entry }) => JSON.stringify({ ...entry, said: JSON.stringify(said) })).join('\n')
  await run(
    client,
    `INSERT INTO policy_log (seq, at, who, why, said, previous, hash) SETTINGS insert_deduplication_token = {token:String}
     SELECT * FROM format(JSONEachRow, '${ENTRY}', {rows:String})`,
    { rows, token: `policy_log ${entries[0]?.seq ?? 0}` },
  )
}

/** The hash that stands under a number, undefined when none does. */
export async function policyLogHash(client: ClickHouseClient, seq: number): Promise<string | undefined> {
  const [row] = await query<{ hash: string }>(client, 'SELECT hash FROM policy_log WHERE seq = {seq:UInt64}', { seq })
  return row?.hash
}

type Kept = Omit<DraftContent, keyof DraftId>

/** Keeps what drafts say. */
export async function saveDrafts(client: ClickHouseClient, drafts: readonly DraftContent[]): Promise<void> {
  const rows = drafts.flatMap(({ target, callee, digest, ...said }) => {
    const { window, permissions, egress }: Kept = said
    const text = ascii(JSON.stringify({ window, permissions, ...(egress ? { egress } : {}) }))
    const version = createHash('sha256').update(text).digest('hex')
    const parts = Math.ceil(text.length / PART_BYTES)
    return Array.from({ length: parts }, (_, part) => {
      const content = text.slice(part * PART_BYTES, (part + 1) * PART_BYTES)
      return { target, callee, digest, version, part, parts, content }
    })
  })
  await insertRows(client, 'policy_draft', DRAFT, rows)
}

/** Names of telemetry may have any characters; cut anywhere, these stay what they are. */
function ascii(json: string): string {
  return json.replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** What a draft says, in its last version that is whole; undefined when none is, or it is not what was saved. */
export async function readDraft(client: ClickHouseClient, id: DraftId): Promise<DraftContent | undefined> {
  const [row] = await query<{ version: string; text: string }>(
    client,
    `SELECT version, arrayStringConcat(arrayMap(one -> one.2, arraySort(one -> one.1, groupArray((part, content))))) AS text
     FROM policy_draft FINAL WHERE target = {target:String} AND callee = {callee:String} AND digest = {digest:String}
     GROUP BY version HAVING count() = any(parts) ORDER BY max(saved) DESC LIMIT 1`,
    { target: id.target, callee: id.callee, digest: id.digest },
  )
  if (!row || createHash('sha256').update(row.text).digest('hex') !== row.version) return undefined
  const { window, permissions, egress }: Kept = JSON.parse(row.text)
  return { ...id, window, permissions, ...(egress ? { egress } : {}) }
}
