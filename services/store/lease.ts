import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { CinchError } from '../model/errors.ts'
import { query, run, type Store } from './store.ts'

/** For so long a holder that died keeps others waiting; a living one takes its next term when half of it is over. */
export const LEASE_MS = 60_000
const ASKED_AGAIN_MS = 250

/** What is done under the lease asks for more time between its parts, and before it writes. */
export interface Held {
  /** @throws CinchError `lease_lost` when another process has it now: what was read before may have changed */
  keep(): Promise<void>
}

/** Runs work while no other process does; undefined, and not run, where another one had the lease until `waitMs` had passed. */
export type Lease = <T>(work: (held: Held) => Promise<T>, waitMs: number) => Promise<T | undefined>

interface Term {
  term: number
  holder: string
  /** Milliseconds that are left of it, by the server's clock. */
  left_ms: number
}

/**
 * A lease on the store. The embedded store is one process's anyway. On a server, a term is inserted under a token that only one insert
 * can have (the server drops the others), so of all who want the next term one gets it. A process that was stopped for longer than its
 * term learns of that at the next `keep`.
 */
export function createLease(
  { location, jobs }: Pick<Store, 'location' | 'jobs'>,
  name: string,
  leaseMs = LEASE_MS,
): Lease {
  if (location.kind === 'chdb') return async (work) => await work({ keep: async () => {} })
  const holder = randomUUID()
  const read = async (): Promise<Term> => {
    const [row] = await query<Term>(
      jobs,
      `SELECT term, holder, toUnixTimestamp64Milli(until) - toUnixTimestamp64Milli(now64(3)) AS left_ms FROM lease FINAL WHERE name = {name:String}`,
      { name },
      'jobs',
    )
    return row ?? { term: 0, holder: '', left_ms: 0 }
  }
  /** @returns the term when it is this process's now, undefined when another one was faster */
  const take = async (term: number, ms: number): Promise<Term | undefined> => {
    await run(
      jobs,
      `INSERT INTO lease (name, term, holder, until) SETTINGS async_insert = 0, insert_deduplication_token = {token:String}
       SELECT {name:String}, {term:UInt64}, {holder:String}, now64(3) + toIntervalMillisecond({ms:UInt32})`,
      { token: `${name} ${term}`, name, term, holder, ms },
    )
    const now = await read()
    return now.term === term && now.holder === holder ? now : undefined
  }
  const acquire = async (waitMs: number): Promise<Term | undefined> => {
    const until = performance.now() + waitMs
    for (;;) {
      const last = await read()
      const mine = last.left_ms <= 0 ? await take(last.term + 1, leaseMs) : undefined
      if (mine || performance.now() >= until) return mine
      await sleep(ASKED_AGAIN_MS)
    }
  }
  const keep = async (mine: Term): Promise<Term> => {
    const last = await read()
    if (last.term !== mine.term || last.holder !== holder) throw lost(name)
    const more = last.left_ms > leaseMs / 2 ? last : await take(last.term + 1, leaseMs)
    if (!more) throw lost(name)
    return more
  }
  return async (work, waitMs) => {
    let mine = await acquire(waitMs)
    if (!mine) return undefined
    try {
      return await work({
        keep: async () => {
          mine = mine && (await keep(mine))
        },
      })
    } finally {
      // Given back as a term that is over. Where it was lost meanwhile, that term is another's, and stays so.
      if (mine) await take(mine.term + 1, 0)
    }
  }
}

const lost = (name: string) =>
  new CinchError(
    'lease_lost',
    `another process took over the ${name} meanwhile`,
    'nothing is to be done: it goes on there',
  )
