import type { TraceRecord } from '../../store/queries/chains.ts'

/** One service call of a chain, put together from what its reporters tell. Times are microseconds. */
export interface Hop {
  /** The callee's span. */
  server?: TraceRecord
  /** The caller's span that the callee's hangs on: a client's, a producer's, or an internal one. */
  via?: TraceRecord | undefined
  /** Key of a span that is named as a parent, and that nobody sent. */
  missing: string
  /** Key that a line carries, of a hop that a line told first: '' otherwise. */
  lineKey: string
  /** Names that lines give: `namespace/workload`, '' where not told. */
  callee: string
  caller: string
  /** What certificates say that the two are; '' where no line tells. */
  calleePrincipal: string
  callerPrincipal: string
  method: string
  path: string
  pathRank: number
  at: number
  until: number
  /** A producer's or consumer's: nobody waits for it. */
  message: boolean
  /** Lines of the two proxies. */
  calleeLog: boolean
  callerLog: boolean
  /** A gateway took it from a caller without a certificate: from outside. */
  isEntered: boolean
  /** The caller's line is one for all attempts, and another attempt's hop has it. */
  sharesCallerLog: boolean
  /** The end user that a proxy verified, and whether a line that could name one is there. */
  userIssuer: string
  userSubject: string
  userTold: boolean
  /** No call: a caller whose calls nothing called for, as of a job. */
  isOrigin: boolean
  parent?: Hop | undefined
  children: Hop[]
}

/** How far clocks and exporters may disagree: an enclosed call may begin and end so much outside. */
export const SLACK_US = 5_000

export const isMessage = ({ kind }: TraceRecord) => kind === 'producer' || kind === 'consumer'
export const isOutgoing = ({ kind }: TraceRecord) => kind === 'client' || kind === 'producer'
export const isLine = ({ kind }: TraceRecord) => kind === 'source' || kind === 'gateway' || kind === 'destination'

/** A span that says that nothing is above it. */
export const isStart = ({ server }: Hop) => server?.parent === ''

/** Of which no span tells anything. */
export const isOfLines = ({ server, via, missing }: Hop) => !server && !via && missing === ''

/** A hop that begins with one record; what it lacks is filled in by the others. */
export function hopOf(record: TraceRecord): Hop {
  return {
    missing: '',
    lineKey: '',
    callee: '',
    caller: '',
    calleePrincipal: '',
    callerPrincipal: '',
    method: record.method,
    path: record.path,
    pathRank: record.pathRank,
    at: record.at,
    until: record.at + record.durationUs,
    message: isMessage(record),
    calleeLog: false,
    callerLog: false,
    isEntered: false,
    sharesCallerLog: false,
    userIssuer: '',
    userSubject: '',
    userTold: false,
    isOrigin: false,
    children: [],
  }
}

/** Hangs a hop under another. Refused where it would close a circle. */
export function adopt(parent: Hop, child: Hop): boolean {
  for (let above: Hop | undefined = parent; above; above = above.parent) if (above === child) return false
  child.parent = parent
  parent.children.push(child)
  return true
}

/** Whether `inner` lies within `outer`, as far as clocks agree. */
export function encloses(outer: { at: number; until: number }, inner: { at: number; until: number }): boolean {
  return outer.at <= inner.at + SLACK_US && outer.until >= inner.until - SLACK_US
}

/** Takes the operation that is known better; at equal rank the one that is there stays. */
export function learnOperation(hop: Hop, { method, path, pathRank }: TraceRecord): void {
  if (hop.method === '') hop.method = method
  if (pathRank > hop.pathRank) {
    hop.path = path
    hop.pathRank = pathRank
  }
}
