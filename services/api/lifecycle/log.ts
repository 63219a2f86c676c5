import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chained, type Saying, verifyLog } from '../../../policy-gen/lifecycle/chain.ts'
import { type Life, lifeOf } from '../../../policy-gen/lifecycle/machine.ts'
import { CinchError } from '../../model/errors.ts'
import type { LogEntry, LogHead, LogVerdict, Said } from '../../model/lifecycle.ts'
import { appendPolicyLog, policyLogHash, readPolicyLog } from '../../store/queries/policy-log.ts'
import type { Store } from '../../store/store.ts'
import { byOf } from '../by.ts'

/** Who says something, and why: kept with it. */
export interface By {
  who: string
  why: string
}

/** Entries of one statement, which holds 256 KiB. */
const APPENDED_MAX = 50
/** Other writers may come first; so many times in a row they do not. */
const TRIES_MAX = 20

/** The log of policies: read whole, verified, and continued. */
export interface PolicyLog {
  life(): Promise<Life>
  entries(): Promise<LogEntry[]>
  /** @param known heads that somebody kept, beside the one that lies in the data directory */
  verify(known?: readonly LogHead[]): Promise<LogVerdict>
  /**
   * Continues the log with what `decide` makes of it; asked anew when another writer came first.
   * @throws CinchError `log_broken`, `bad_option`, and what `decide` throws
   */
  append(by: By, decide: Decide): Promise<LogEntry[]>
}

type Decide = (life: Life, at: string) => Said[]

/** @param now for tests */
export function createPolicyLog(store: Store, now: () => number = Date.now): PolicyLog {
  const headFile = join(store.dataDir, 'policy-log-head')
  let last: Promise<unknown> = Promise.resolve()
  /** What of it was written, and whether another writer came first. */
  const tryOnce = async (by: By, decide: Decide): Promise<{ written: LogEntry[]; raced: boolean }> => {
    const before = await readPolicyLog(store.jobs)
    const { faults, head } = verifyLog(before, knownHead(headFile))
    if (faults[0]) throw broken(faults[0])
    const at = new Date(now()).toISOString()
    const sayings = decide(lifeOf(before), at).map((said): Saying => ({ at, ...by, said }))
    const entries = chained(head, sayings)
    for (let start = 0; start < entries.length; start += APPENDED_MAX) {
      const some = entries.slice(start, start + APPENDED_MAX)
      await appendPolicyLog(store.jobs, some)
      const first = some[0]
      if (first && (await policyLogHash(store.jobs, first.seq)) !== first.hash)
        return { written: entries.slice(0, start), raced: true }
      keepHead(headFile, some.at(-1))
    }
    return { written: entries, raced: false }
  }
  const append: PolicyLog['append'] = async (by, decide) => {
    const told = byOf(by)
    const all: LogEntry[] = []
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const { written, raced } = await tryOnce(told, decide)
      all.push(...written)
      if (!raced) return all
    }
    throw new CinchError('overloaded', 'other processes write to the log of policies all the time', 'try again')
  }
  return {
    entries: async () => await readPolicyLog(store.reads),
    life: async () => lifeOf(await readPolicyLog(store.reads)),
    verify: async (known = []) => verifyLog(await readPolicyLog(store.reads), [...knownHead(headFile), ...known]),
    append: (by, decide) => {
      // One after another: what is decided rests on all that was said before.
      const next = last.catch(() => {}).then(async () => await append(by, decide))
      last = next
      return next
    },
  }
}

function broken({ seq, what }: LogVerdict['faults'][number]): CinchError {
  return new CinchError(
    'log_broken',
    `the log of policies is not as it was written: entry ${seq} ${what}`,
    'see cinch policies log --verify; nothing is added until it is restored from a backup',
  )
}

// Outside of the store: whoever can write there could cut the log's end off, and nothing in it would show that.
function knownHead(file: string): LogHead[] {
  try {
    const [, seq = '', hash = ''] = /^(\d+) ([0-9a-f]{64})\n$/.exec(readFileSync(file, 'utf8')) ?? []
    return seq === '' ? [] : [{ seq: Number(seq), hash }]
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

function keepHead(file: string, entry: LogHead | undefined): void {
  if (!entry) return
  writeFileSync(`${file}.new`, `${entry.seq} ${entry.hash}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
