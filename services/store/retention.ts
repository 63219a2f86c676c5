import { CinchError } from '../model/errors.ts'
import { query, run, type Store } from './store.ts'

/** How long what is stored stays, counted from the day on which it was loaded. */
export interface Retention {
  /** Request facts: each request as it was reported. */
  factsDays: number
  /** Who used which operation of whom, by the hour: what graph, policies and replay read. */
  operationsDays: number
}

export const DEFAULT_RETENTION: Retention = { factsDays: 90, operationsDays: 400 }

const DAYS_MAX = 3_650
const TABLES: Record<string, keyof Retention> = {
  request: 'factsDays',
  operation_usage: 'operationsDays',
  operation_usage_day: 'operationsDays',
  operation_week: 'operationsDays',
  edge_usage_hour: 'operationsDays',
  edge_usage_day: 'operationsDays',
  user_usage: 'operationsDays',
  directory_event: 'operationsDays',
  user_activity: 'factsDays',
}

/**
 * Retention as the environment gives it: `CINCH_FACTS_DAYS`, `CINCH_OPERATIONS_DAYS`.
 * @throws CinchError `bad_option` for what is no number of days
 */
export function readRetention(environment: NodeJS.ProcessEnv = process.env): Retention {
  const days = (name: string, otherwise: number) => {
    const text = environment[name]
    if (text === undefined || text === '') return otherwise
    if (!/^\d{1,4}$/.test(text) || Number(text) < 1 || Number(text) > DAYS_MAX)
      throw new CinchError(
        'bad_option',
        `${name} '${text}' is no number of days`,
        `give a whole number from 1 to ${DAYS_MAX}`,
      )
    return Number(text)
  }
  return {
    factsDays: days('CINCH_FACTS_DAYS', DEFAULT_RETENTION.factsDays),
    operationsDays: days('CINCH_OPERATIONS_DAYS', DEFAULT_RETENTION.operationsDays),
  }
}

/** Brings the tables' TTL to what is asked; where it is that already, nothing is touched. Parts go when the engine next merges. */
export async function applyRetention(store: Store, retention: Retention): Promise<void> {
  const found = await query<{ name: string; ttl: number }>(
    store.jobs,
    `SELECT name, toUInt32OrZero(extract(create_table_query, 'TTL loaded \\\\+ toIntervalDay\\\\((\\\\d+)\\\\)')) AS ttl
     FROM system.tables WHERE database = currentDatabase() AND name IN {tables:Array(String)}`,
    { tables: Object.keys(TABLES) },
    'jobs',
  )
  for (const { name, ttl } of found) {
    const kind = TABLES[name]
    if (kind === undefined || ttl === retention[kind]) continue
    // A TTL takes no bound parameter; name and number are our own.
    await run(
      store.jobs,
      `ALTER TABLE ${name} MODIFY TTL loaded + INTERVAL ${retention[kind]} DAY SETTINGS materialize_ttl_after_modify = 0`,
    )
  }
}
