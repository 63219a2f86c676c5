import type { TraceRecord } from '../../store/queries/chains.ts'
import { adopt, encloses, type Hop, hopOf, isOfLines, learnOperation } from './hop.ts'
import type { SpanHops } from './spans.ts'

/**
 * Adds what access-log lines tell to the hops that spans tell of, and hops that only lines tell of.
 *
 * A line carries the context of the request's header: the caller's span, or the proxy's own where it traces itself. So a hop is
 * looked for by the key of its caller's span, of its callee's, or of the one that is missing. Where applications pass a context
 * on without spans of their own, several hops have one key; then the callee's name and the operation tell them apart. Proxies that
 * trace themselves and send no spans put a key of their own into each line; then the two lines of a call are known by what they
 * say alike. All of it is claimed by applications: it tells what belongs to a chain, never who called.
 */
export function addLines(found: SpanHops, lines: readonly TraceRecord[]): void {
  const byKey = new Map<string, Hop[]>()
  const index = (key: string | undefined, hop: Hop) => {
    if (!key) return
    const known = byKey.get(key)
    if (!known) byKey.set(key, [hop])
    else if (!known.includes(hop)) known.push(hop)
  }
  for (const hop of found.hops) for (const key of [hop.via?.key, hop.server?.key, hop.missing]) index(key, hop)
  for (const line of lines) {
    const told = byKey.get(line.key) ?? []
    const hop = bestOf(told, line) ?? otherSide(found.hops, line) ?? added(found, line)
    index(line.key, hop)
    tell(hop, line)
    // A caller's proxy writes one line for all attempts, each of which the callee's sees: they hang on the same span.
    if (line.kind !== 'destination')
      for (const other of told) if (other.via && other.via === hop.via) other.sharesCallerLog = true
  }
}

const hasSide = (hop: Hop, { kind }: TraceRecord) => (kind === 'destination' ? hop.calleeLog : hop.callerLog)

/** The hop that a line is of: the same callee, or one whose callee is not known, or else the same operation. */
function bestOf(hops: readonly Hop[], line: TraceRecord): Hop | undefined {
  let best: Hop | undefined
  let bestFit = 0
  for (const hop of hops) {
    const fit = hasSide(hop, line) ? 0 : fitOf(hop, line)
    if (fit > bestFit || (fit > 0 && fit === bestFit && best && distance(hop, line) < distance(best, line))) {
      best = hop
      bestFit = fit
    }
  }
  return best
}

const distance = (hop: Hop, { at }: TraceRecord) => Math.abs(hop.at - at)

function fitOf(hop: Hop, line: TraceRecord): number {
  const sameMethod = hop.method === '' || line.method === '' || hop.method === line.method
  if (!sameMethod) return 0
  if (hop.callee !== '' && hop.callee === line.place) return 3
  // A context that an application passes on is also that of the calls behind it: those are of other callers.
  if (hop.caller !== '' && line.caller !== '' && hop.caller !== line.caller) return 0
  if (hop.callee === '' || line.place === '') return 2
  return hop.path !== '' && hop.path === line.path ? 1 : 0
}

/**
 * The hop of which only the other proxy's line is there: the same callee and operation, the callee's line within the caller's. Of
 * several such, as of equal calls side by side, the one that began next to it.
 */
function otherSide(hops: readonly Hop[], line: TraceRecord): Hop | undefined {
  let best: Hop | undefined
  for (const hop of hops)
    if (isOtherSide(hop, line) && (!best || distance(hop, line) < distance(best, line))) best = hop
  return best
}

function isOtherSide(hop: Hop, line: TraceRecord): boolean {
  if (hop.lineKey === '' || !isOfLines(hop) || hasSide(hop, line) || hop.callee === '') return false
  if (hop.callee !== line.place || hop.method !== line.method) return false
  // What passes a request on may take the beginning of its path away.
  if (!hop.path.endsWith(line.path) && !line.path.endsWith(hop.path)) return false
  const told = { at: line.at, until: line.at + line.durationUs }
  return line.kind === 'destination' ? encloses(hop, told) : encloses(told, hop)
}

function added(found: SpanHops, line: TraceRecord): Hop {
  const hop: Hop = { ...hopOf(line), callee: line.place, caller: line.caller, lineKey: line.key }
  const above = found.owners.get(line.key)
  if (above && above.callee !== hop.callee) {
    hop.via = found.spans.get(line.key)
    adopt(above, hop)
  }
  found.hops.push(hop)
  return hop
}

function tell(hop: Hop, line: TraceRecord): void {
  if (line.kind === 'destination') hop.calleeLog = true
  else hop.callerLog = true
  if (line.kind === 'gateway' && line.caller === '') hop.isEntered = true
  if (hop.callee === '') hop.callee = line.place
  if (hop.caller === '') hop.caller = line.caller
  hop.calleePrincipal ||= line.calleePrincipal
  hop.callerPrincipal ||= line.callerPrincipal
  learnOperation(hop, line)
  // A sidecar on the caller's side sees no verified token; the callee's and the gateway's do.
  if (line.kind === 'source') return
  hop.userTold = true
  if (line.userSubject !== '' && hop.userSubject === '') {
    hop.userSubject = line.userSubject
    hop.userIssuer = line.userIssuer
  }
}
