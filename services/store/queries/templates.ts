import type { ClickHouseClient } from '@clickhouse/client'
import type { PinWord, TemplateSet } from '../../model/template.ts'
import { insertRows, query } from '../store.ts'

/** A template as it is stored; a `name` is a form that is no template and that none may swallow. `segments`: JSON. */
export interface TemplateRow {
  callee: string
  id: string
  role: 'template' | 'name' | 'gone'
  method: string
  operation: string
  path: string
  segments: string
  version: number
  since: number
  paths: number
  requests: number
  callers: string[]
  combinations: number
  unseen: number
  open: boolean
  istio: string
  first_seen: string
}

export interface ChangeRow {
  callee: string
  /** Of the callee's set. */
  version: number
  id: string
  change: 'new' | 'changed' | 'gone'
  from: string[]
}

/** A word, and when it was said: milliseconds since 1970. */
export interface PinRow extends PinWord {
  said: number
}

const TEMPLATE =
  'callee String, id String, role String, method String, operation String, path String, segments String, version UInt32, since UInt32, paths UInt64, requests UInt64, callers Array(String), combinations Float64, unseen Float64, open Bool, istio String, first_seen String'
const SET =
  'callee String, version UInt32, usage UInt64, pins String, learner UInt32, templates UInt32, paths UInt64, left_out_paths UInt64, rare_paths UInt64, rare_requests UInt64, full_paths UInt64, full_requests UInt64, untaught_paths UInt64, untaught_requests UInt64, written UInt64'
const PIN = 'callee String, at String, method String, kind String, who String, why String, said UInt64'

const columns = (structure: string) => structure.replace(/ (?:String|UInt32|UInt64|Float64|Bool|Array\(String\))/g, '')

/**
 * Writes what was learned of one callee, its set last: a job that is killed in between learns it again.
 * @param rows those that changed, also those that are gone
 */
export async function writeTemplates(
  client: ClickHouseClient,
  rows: readonly TemplateRow[],
  changes: readonly ChangeRow[],
  set: TemplateSet,
): Promise<void> {
  const { written } = set
  const stamped = (some: readonly object[]) => some.map((row) => ({ ...row, written }))
  await insertRows(client, 'operation_template', `${TEMPLATE}, written UInt64`, stamped(rows))
  await insertRows(
    client,
    'template_change',
    'callee String, version UInt32, id String, change String, from Array(String), written UInt64',
    stamped(changes),
  )
  await insertRows(client, 'template_set', SET, [set])
}

/** @param callees only these; all when absent */
export async function readTemplateSets(client: ClickHouseClient, callees?: string[]): Promise<TemplateSet[]> {
  const only = callees ? 'WHERE callee IN {callees:Array(String)}' : ''
  return await query<TemplateSet>(
    client,
    `SELECT ${columns(SET)} FROM template_set FINAL ${only} ORDER BY callee`,
    callees ? { callees } : {},
  )
}

/** The templates and names of some callees. */
export async function readTemplates(client: ClickHouseClient, callees: string[]): Promise<TemplateRow[]> {
  if (callees.length === 0) return []
  return await query<TemplateRow>(
    client,
    `SELECT ${columns(TEMPLATE)} FROM operation_template FINAL
     WHERE callee IN {callees:Array(String)} AND role != 'gone' ORDER BY callee, id`,
    { callees },
  )
}

/** The last versions of a callee's templates, newest first. */
export async function readChanges(
  client: ClickHouseClient,
  callee: string,
  max: number,
): Promise<(ChangeRow & { written: number })[]> {
  return await query<ChangeRow & { written: number }>(
    client,
    `SELECT callee, version, id, change, \`from\`, written FROM template_change FINAL
     WHERE callee = {callee:String} ORDER BY version DESC, id LIMIT {max:UInt32}`,
    { callee, max },
  )
}

export async function savePin(client: ClickHouseClient, pin: PinRow): Promise<void> {
  await insertRows(client, 'operation_pin', PIN, [pin])
}

/** What holds: the last word on each position and method. */
export async function readPins(client: ClickHouseClient): Promise<PinRow[]> {
  return await query<PinRow>(
    client,
    `SELECT * FROM (SELECT ${columns(PIN)} FROM operation_pin ORDER BY callee, at, method, said DESC LIMIT 1 BY callee, at, method)
     WHERE kind != 'none' ORDER BY callee, at, method`,
  )
}
