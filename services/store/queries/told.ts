import type { ClickHouseClient } from '@clickhouse/client'
import { query } from '../store.ts'
import { bounds, type Window, within } from './rollups.ts'

/** Whether anything but access logs tells of a window: what is not there is not asked for, since most of what a small answer costs is its analysis. */
export interface Told {
  /** The caller join found, or did not find, who called. */
  joined: boolean
  spans: boolean
  /** Request counters. */
  counted: boolean
}

const TABLES = {
  joined: ['joined_call_hour', 'minute'],
  spans: ['span_call', 'minute'],
  counted: ['metric_hour', 'hour'],
}

/** Where it says true nothing may count after all: rows that a job has zeroed stay. */
export async function toldIn(client: ClickHouseClient, window: Window): Promise<Told> {
  const asked = Object.entries(TABLES).map(
    ([by, [table, time = '']]) => `(SELECT '${by}' AS by FROM ${table} WHERE ${within(time)} LIMIT 1)`,
  )
  const found = await query<{ by: string }>(client, asked.join(' UNION ALL '), bounds(window), 'narrow')
  const is = (by: keyof typeof TABLES) => found.some((row) => row.by === by)
  return { joined: is('joined'), spans: is('spans'), counted: is('counted') }
}

/** What is told of either of two windows. */
export const toldOfEither = (a: Told, b: Told): Told => ({
  joined: a.joined || b.joined,
  spans: a.spans || b.spans,
  counted: a.counted || b.counted,
})
