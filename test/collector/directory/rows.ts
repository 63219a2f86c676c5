import { readdirSync, readFileSync } from 'node:fs'
import { sourceDir } from '../facts.ts'
import type { TestStore } from '../support.ts'

/** An event as `expected.jsonl` writes it: what says nothing is left out, correlations by their kinds and, where they are no secret, values. */
export type Row = Record<string, unknown>

/** Lines of a source's samples, with their names as `expected.jsonl` has them: `file.log:3`, and `file.log:3#2` for a further event of a line. */
export function sampleLines(id: string): { name: string; line: string }[] {
  const dir = new URL('samples/', sourceDir(id))
  return readdirSync(dir).flatMap((file) =>
    readFileSync(new URL(file, dir), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line, index) => ({ name: `${file}:${index + 1}`, line })),
  )
}

export function expectedRows(id: string): (Row & { line: string })[] {
  return readFileSync(new URL('expected.jsonl', sourceDir(id)), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((text) => JSON.parse(text))
}

/** The events of a cluster, in the order of their times and then of what they say. */
export async function eventsOf(store: TestStore, cluster: string): Promise<Row[]> {
  const rows = await store.rows<Row>(
    `SELECT if(time_told, toString(time), '') AS at, event_id, toString(category) AS category, action, toString(outcome) AS outcome, reason,
       actor_id, toString(actor_type) AS actor_type, actor_name, replaceOne(toString(actor_address), '::ffff:', '') AS actor_address, actor_client, actor_agent, actor_device,
       arrayMap(t -> arrayFilter(x -> x != '', [t.type, t.id, t.name]), targets) AS targets, arrayMap(c -> [c.attribute, c.old, c.new], changes) AS changes,
       arrayMap(c -> if(c.kind IN ('session', 'token'), c.kind, concat(c.kind, ' ', c.value)), correlations) AS correlations
     FROM directory_event FINAL WHERE cluster = {cluster:String} ORDER BY at, action, event_id, targets LIMIT 1 BY source_format, event_id, said`,
    { cluster },
  )
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).filter(
        ([, value]) => value !== '' && value !== '::' && !(Array.isArray(value) && value.length === 0),
      ),
    ),
  )
}
