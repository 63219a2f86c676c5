import { adopt, encloses, type Hop, isOfLines, isStart } from './hop.ts'

/**
 * Hangs hops that have nobody above them where they belong, as well as names and times tell, and gives the chain's root. Only the
 * picture depends on it: what is missing stays missing.
 */
export function nest(hops: Hop[]): Hop | undefined {
  mergeFragments(hops)
  const tops = hops.filter((hop) => !hop.parent)
  const root = tops.find(isStart) ?? earliest(tops)
  for (const hop of tops) {
    if (hop === root || isStart(hop)) continue
    const above = callerOf(hop, hops) ?? (hop.caller === '' ? innermost(hop, hops) : undefined)
    if (above) adopt(above, hop)
  }
  return root && (originOf(root, hops) ?? root)
}

/**
 * A job begins its chain itself, and so does a page whose requests go through one gateway: of its calls none is the root of the
 * others. They hang on their caller, which is no call and not among the hops. Told by lines only: spans name what is above.
 */
function originOf(root: Hop, hops: readonly Hop[]): Hop | undefined {
  const calls = hops
    .filter((hop) => !hop.parent && isOfLines(hop) && isSameCaller(hop, root))
    .sort((a, b) => a.at - b.at)
  if (calls.length < 2 || !calls.includes(root)) return undefined
  const { caller, callerPrincipal } = root
  const isCalled = (hop: Hop) =>
    callerPrincipal === '' ? hop.callee === caller : hop.calleePrincipal === callerPrincipal || hop.callee === caller
  if (hops.some(isCalled)) return undefined
  const origin: Hop = { ...root, ...NO_CALL, callee: caller, calleePrincipal: callerPrincipal, children: [] }
  for (const call of calls) {
    origin.until = Math.max(origin.until, call.until)
    adopt(origin, call)
  }
  return origin
}

const NO_CALL = {
  ...{ isOrigin: true, lineKey: '', caller: '', callerPrincipal: '', method: '', path: '', pathRank: 0 },
  ...{ calleeLog: false, callerLog: false, isEntered: false, userIssuer: '', userSubject: '', userTold: false },
}

const isSameCaller = (a: Hop, b: Hop) =>
  a.callerPrincipal === b.callerPrincipal && (a.callerPrincipal !== '' || (a.caller !== '' && a.caller === b.caller))

/**
 * Inner spans whose entry is missing: they are of a hop whose callee's span is missing too, or else of one that lacks an inner
 * span. The hop keeps the missing key; the fragment goes.
 */
function mergeFragments(hops: Hop[]): void {
  for (const fragment of hops.filter((hop) => !hop.server && hop.missing !== '' && !hop.parent)) {
    const known = hops.filter(
      (hop) =>
        hop !== fragment &&
        !hop.server &&
        hop.missing === '' &&
        (hop.callee === '' || hop.callee === fragment.callee) &&
        hop.caller !== fragment.callee &&
        encloses(hop, fragment),
    )
    const hop = known[0]
    if (known.length !== 1 || !hop) continue
    if (fragment.children.some((child) => child === hop)) continue
    hop.callee = fragment.callee
    hop.missing = fragment.missing
    for (const child of fragment.children) {
      child.parent = undefined
      if (!adopt(hop, child)) adopt(fragment, child)
    }
    hops.splice(hops.indexOf(fragment), 1)
  }
}

/** The innermost hop of the caller that was going on then: by its certificate or, where lines tell of none, by its name. */
function callerOf(hop: Hop, hops: readonly Hop[]): Hop | undefined {
  const { callerPrincipal } = hop
  if (callerPrincipal !== '') {
    const above = innermost(
      hop,
      hops.filter((other) => other.calleePrincipal === callerPrincipal),
    )
    if (above) return above
    // Where the callee logged nothing only the caller's line is there, which tells no certificate of it.
    const untold = hops.filter(
      (other) => other.calleePrincipal === '' && namespaceOf(other) === namespaceIn(callerPrincipal),
    )
    const only = innermost(hop, untold)
    if (only) return only
  }
  // Inner spans whose entry is missing are a part of their own service's hop.
  const name = hop.caller === '' && !hop.server && hop.missing !== '' ? hop.callee : hop.caller
  return name === ''
    ? undefined
    : innermost(
        hop,
        hops.filter((other) => other.callee === name),
      )
}

const namespaceOf = ({ callee }: Hop) => callee.split('/')[0] ?? ''
const namespaceIn = (principal: string) => /\/ns\/([^/]+)\/sa\//.exec(principal)?.[1]

function innermost(hop: Hop, hops: readonly Hop[]): Hop | undefined {
  let found: Hop | undefined
  for (const other of hops)
    if (other !== hop && encloses(other, hop) && !isBelow(other, hop) && (!found || other.at > found.at)) found = other
  return found
}

function isBelow(hop: Hop, above: Hop): boolean {
  for (let at: Hop | undefined = hop; at; at = at.parent) if (at === above) return true
  return false
}

function earliest(hops: readonly Hop[]): Hop | undefined {
  let found: Hop | undefined
  for (const hop of hops)
    if (!found || hop.at < found.at || (hop.at === found.at && hop.until > found.until)) found = hop
  return found
}
