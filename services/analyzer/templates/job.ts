import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import { CinchError } from '../../model/errors.ts'
import type { TemplateSet } from '../../model/template.ts'
import { createLease, type Held, LEASE_MS } from '../../store/lease.ts'
import { readInventory } from '../../store/queries/inventory.ts'
import { calleePaths } from '../../store/queries/paths.ts'
import { edgeHours, edgeRows, storedWindow } from '../../store/queries/rollups.ts'
import {
  type PinRow,
  readPins,
  readTemplateSets,
  readTemplates,
  writeTemplates,
} from '../../store/queries/templates.ts'
import type { Store } from '../../store/store.ts'
import { createNames } from '../graph/calls.ts'
import { observe } from '../graph/observed.ts'
import { learnTemplates } from '../operations/learn.ts'
import { type CalleeUsage, calleesOf } from './callees.ts'
import { pinsOf, pinText, previousOf, rowsOfLearned, seenPaths } from './records.ts'

/** Raised when the same traffic is learned otherwise than before: what is stored is learned anew then. */
const LEARNER = 2

/** Paths of one callee that are looked at, those with the most requests; the set says how many were left out. */
const CALLEE_PATHS_MAX = 1_000_000

/** When a callee is learned anew: at once when its requests changed by so large a share, else when so much time has passed. */
export interface LearnPace {
  changedShare: number
  againMs: number
  /** Rest between callees, in times of what the last one took, so that whoever shares the process is served. */
  restRatio: number
  /** How long to wait for another process that learns; behind that, what is new is left to it. */
  waitMs: number
}

/** Long enough for the lease of one that died to be over. */
const WAIT_MS = 2 * LEASE_MS
const HURRIED: LearnPace = { changedShare: 0, againMs: 0, restRatio: 0, waitMs: WAIT_MS }

export interface Learner {
  /**
   * Learns the operations of every callee that has something new: traffic, or a person's word. What was learned before
   * has its place, so the same traffic in any order and in any number of parts comes to the same templates.
   * @returns how many callees were learned; none where another process on the same server learned all the while
   */
  learn(nowMs: number, pace?: LearnPace): Promise<number>
  /** Learns one callee at once, if there is such a one. @throws CinchError `overloaded` while another process learns and does not end */
  learnOne(callee: string, nowMs: number): Promise<void>
  /** Whether there are requests to a callee. */
  knows(callee: string): Promise<boolean>
}

export function createLearner(store: Store): Learner {
  const client = store.jobs
  // One callee at a time: what is written rests on what was read before.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work, work)
    last = done.catch(() => undefined)
    return done
  }
  const known = async () => {
    const window = await storedWindow(client)
    if (!window) return []
    const [rows, inventory] = await Promise.all([edgeRows(client, window), readInventory(client)])
    const { calls } = await observe(rows, createNames(rows, inventory), (some) => edgeHours(client, window, some))
    return calleesOf(calls)
  }
  const lease = createLease(store, 'learning of operations')
  return {
    learn: async (nowMs, pace = HURRIED) => {
      const callees = await known()
      if (callees.length === 0) return 0
      const learned = await inTurn(() =>
        lease(
          (held) => learnDue(client, { callees, nowMs, pace }, (callee) => learnCallee(client, callee, nowMs, held)),
          pace.waitMs,
        ),
      )
      return learned ?? 0
    },
    learnOne: async (name, nowMs) => {
      const callee = (await known()).find((one) => one.callee === name)
      if (!callee) return
      const learned = await inTurn(() =>
        lease(async (held) => {
          await learnCallee(client, callee, nowMs, held)
          return true
        }, WAIT_MS),
      )
      if (!learned)
        throw new CinchError(
          'overloaded',
          `another process learns, so '${name}' was not learned`,
          'it is, the next time',
        )
    },
    knows: async (name) => (await known()).some(({ callee }) => callee === name),
  }
}

async function learnCallee(client: ClickHouseClient, callee: CalleeUsage, nowMs: number, held: Held): Promise<void> {
  await held.keep()
  const [sets, pins] = [await readTemplateSets(client, [callee.callee]), pinsOf(await readPins(client), callee.callee)]
  const stored = await readTemplates(client, [callee.callee])
  const { paths, leftOut } = await calleePaths(client, [...callee.edges.keys()], CALLEE_PATHS_MAX)
  const previous = previousOf(sets[0], stored)
  const seen = seenPaths(paths, callee.edges)
  const { learned } = learnTemplates(seen, { ...(previous ? { previous } : {}), pins })
  const written = Math.max(nowMs, (sets[0]?.written ?? 0) + 1)
  const told = { callee: callee.callee, usage: callee.usage, pins: pinText(pins), learner: LEARNER, written }
  const { rows, changes, set } = rowsOfLearned(learned, stored, {
    ...told,
    paths: seen.length,
    left_out_paths: leftOut,
  })
  // Learning a large callee takes seconds: what is written then must still rest on what was read.
  await held.keep()
  await writeTemplates(client, rows, changes, set)
}

async function learnDue(
  client: ClickHouseClient,
  { callees, nowMs, pace }: { callees: readonly CalleeUsage[]; nowMs: number; pace: LearnPace },
  learnOne: (callee: CalleeUsage) => Promise<void>,
): Promise<number> {
  const sets = new Map((await readTemplateSets(client)).map((set) => [set.callee, set]))
  const pins = await readPins(client)
  const due = callees.filter((callee) => isDue(callee, sets.get(callee.callee), pins, nowMs, pace))
  for (const callee of due) {
    const started = performance.now()
    await learnOne(callee)
    if (pace.restRatio > 0) await sleep((performance.now() - started) * pace.restRatio)
  }
  return due.length
}

function isDue(
  { callee, usage }: CalleeUsage,
  set: TemplateSet | undefined,
  pins: readonly PinRow[],
  nowMs: number,
  { changedShare, againMs }: LearnPace,
): boolean {
  if (!set || set.learner !== LEARNER || set.pins !== pinText(pinsOf(pins, callee))) return true
  if (set.usage === usage) return false
  return Math.abs(usage - set.usage) >= set.usage * changedShare || nowMs - set.written >= againMs
}
