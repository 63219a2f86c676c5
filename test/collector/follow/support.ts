import { operator } from '../../../services/collector/origin.ts'
import { type Follower, follow, type Timing } from '../../../services/collector/receivers/follow.ts'
import { findSource } from '../../../services/collector/sources/index.ts'
import type { TestStore } from '../support.ts'

/** As fast as a test wants it. */
export const QUICK: Timing = { pollMs: 10, expandEveryMs: 0, commitEveryMs: 0, quietMs: 300 }

/** Follows `patterns` as lines of Istio's text format; what it notes is in `notes`. */
export async function followText(
  { store, committer }: Pick<TestStore, 'store' | 'committer'>,
  cluster: string,
  patterns: string[],
  timing: Partial<Timing> = {},
): Promise<Follower & { notes: string[] }> {
  const notes: string[] = []
  const follower = await follow({
    store,
    committer,
    source: findSource('istio-text'),
    origin: operator(cluster),
    patterns,
    note: (text) => notes.push(text),
    timing: { ...QUICK, ...timing },
  })
  return { ...follower, notes }
}

/** What is stored of a cluster: `distinct` counts lines once each, since no two generated lines are alike. */
export async function stored(store: TestStore, cluster: string) {
  const [row] = await store.rows<{ facts: number; distinct: number; rejects: number; operations: number }>(
    `SELECT (SELECT count() FROM request WHERE cluster = {cluster:String}) AS facts,
       (SELECT uniqExact(path, user_agent) FROM request WHERE cluster = {cluster:String}) AS distinct,
       (SELECT count() FROM rejected_line WHERE cluster = {cluster:String}) AS rejects,
       (SELECT sum(requests) + sum(denied) FROM operation_usage WHERE edge IN (SELECT edge FROM edge WHERE cluster = {cluster:String})) AS operations`,
    { cluster },
  )
  return row!
}

/** What should be stored of generated lines. */
export const expected = (...all: { accepted: number; rejected: number }[]) => {
  const facts = all.reduce((sum, { accepted }) => sum + accepted, 0)
  const rejects = all.reduce((sum, { rejected }) => sum + rejected, 0)
  return { facts, distinct: facts, rejects, operations: facts }
}
