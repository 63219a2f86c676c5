import type { Expectation, Gap, GapKind } from '../../model/chain.ts'
import { type Hop, isOfLines, isStart } from './hop.ts'

/** A gap with the hop that it is at and, where spans name it, the key of what is missing (or, of a missing server, the client's). */
export interface FoundGap extends Gap {
  hop?: Hop
  key: string
}

/** Whether something that a hop may lack is there. */
interface Observation extends Gap {
  hop: Hop
  key: string
  isMet: boolean
}

export const operationOf = ({ method, path }: { method: string; path: string }) => `${method} ${path}`.trim()

/** What a hop has and lacks. What lacks is a gap only where the window as a whole shows that it is otherwise there: `verdict.ts`. */
function observationsOf(hop: Hop, isRoot: boolean): Observation[] {
  const { callee, caller, server, via } = hop
  const found: Observation[] = []
  const see = (kind: GapKind, of: Partial<Gap>, isMet: boolean, key = '') =>
    found.push({ kind, caller: '', callee: '', operation: '', ...of, hop, key, isMet })
  // As the callee itself tells it: what its caller's span adds is not there when that is missing.
  const operation = operationOf(server ?? hop)
  const callKey = via?.key ?? (hop.lineKey || hop.missing)
  const isFromOutside = isOfLines(hop) && hop.isEntered && !hop.parent
  if (hop.missing !== '' || !(isRoot || isStart(hop) || isFromOutside)) {
    const isMet = hop.missing === '' && hop.parent !== undefined
    see(
      'parent_missing',
      { callee, operation: server || !hop.missing ? operation : '' },
      isMet,
      hop.missing || hop.lineKey,
    )
  }
  // What inner spans without their entry are held against: whether the service has entries at all.
  if (server && hop.missing === '') see('parent_missing', { callee }, true)
  if (isOfLines(hop) && isToldOf(hop))
    see('restarted', { callee, operation }, !isRoot && !hop.parent?.isOrigin, hop.lineKey)
  if (server?.kind === 'server' && hop.missing === '') see('restarted', { callee, operation }, !isStart(hop))
  // Said also where inner spans of a callee were taken for this call's: that they are is a guess, that no server's span is there is not.
  if (via?.kind === 'client' && (server || callee === '' || hop.missing !== ''))
    see('server_missing', { caller: via.place, operation: operationOf(via) }, server !== undefined, via.key)
  if (callee !== '' && hop.missing === '') see('span_missing', { callee }, server !== undefined, callKey)
  const isCall = !hop.message && (server === undefined || server.kind === 'server')
  if (callee !== '' && isCall) see('callee_log_missing', { callee }, hop.calleeLog, server?.key ?? callKey)
  if (caller !== '' && isCall && (via || !server))
    see('caller_log_missing', { caller }, hop.callerLog || hop.sharesCallerLog, callKey)
  if (server && !isStart(hop)) see('calls_on', { callee }, hop.children.length > 0)
  if (hop.userTold && hop.parent && hop.parent.userSubject !== '')
    see('user_lost', { caller: hop.parent.callee, callee }, hop.userSubject !== '')
  return found
}

/** Whether what begins a chain says anything: a gateway's requests come from outside, and a job's first call says it for the others. */
const isToldOf = (hop: Hop) => !hop.isEntered && (!hop.parent?.isOrigin || hop === hop.parent.children[0])

export interface Findings {
  gaps: FoundGap[]
  observations: Observation[]
}

/** What a chain lacks, and what it was seen to have. A chain of which there are only lines was sampled away as a whole. */
export function findGaps(hops: readonly Hop[], root: Hop | undefined): Findings {
  const observations = hops.flatMap((hop) => observationsOf(hop, hop === root))
  const lacking: FoundGap[] = observations.filter(({ kind, isMet }) => !isMet && kind !== 'calls_on')
  if (hops.some(({ server, via }) => server || via)) return { observations, gaps: lacking }
  const spanless = lacking
    .filter(({ kind }) => kind === 'span_missing')
    .map((gap): FoundGap => ({ ...gap, kind: 'sampled_away' }))
  return { observations, gaps: [...lacking.filter(({ kind }) => kind !== 'span_missing'), ...spanless] }
}

/** What a gap is judged by: where a chain was sampled away, by whether its callees otherwise have spans. */
export const expectationKey = ({ kind, caller, callee, operation }: Gap) =>
  JSON.stringify([kind === 'sampled_away' ? 'span_missing' : kind, caller, callee, operation])

/** Adds what was observed to the counts of a minute, in place. */
export function countExpectations(observations: readonly Observation[], counts: Map<string, Expectation>): void {
  for (const { kind, caller, callee, operation, isMet } of observations) {
    const key = expectationKey({ kind, caller, callee, operation })
    const count = counts.get(key) ?? { kind, caller, callee, operation, met: 0, unmet: 0 }
    if (isMet) count.met++
    else count.unmet++
    counts.set(key, count)
  }
}
