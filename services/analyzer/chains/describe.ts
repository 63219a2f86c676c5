import type { ChainHop, Expectation } from '../../model/chain.ts'
import type { Trace } from '../../store/queries/chains.ts'
import { asynchrony, type Chain, chainOf, fanOut } from './chain.ts'
import type { FoundGap } from './gaps.ts'
import type { Hop } from './hop.ts'
import type { Place } from './report.ts'
import { shapeOf } from './shape.ts'
import { createJudge, GAP_REASONS } from './verdict.ts'

/** One chain, with everything that is known of it. Times are ISO 8601, UTC. */
export interface ChainAnswer {
  trace: string
  began: string
  duration_us: number
  complete: boolean
  calls: number
  asynchronous: number
  fan_out: number
  /** '' where the chain is broken in its middle. */
  shape: string
  /** Spans and lines that were left out. */
  cut: number
  breaks: Omit<Place, 'chains' | 'samples'>[]
  users_lost: Omit<Place, 'chains' | 'samples'>[]
  /** The root, and hops that nothing known stands above. */
  hops: ChainHop[]
}

/** @param expectations of the time around it: they decide which gaps are breaks */
export function describeTrace(trace: Trace, expectations: readonly Expectation[]): ChainAnswer {
  const chain = chainOf(trace)
  const judge = createJudge(expectations)
  const told = chain.gaps.filter((gap) => judge.isTold(gap))
  const breaks = told.filter((gap) => judge.isBreak(gap))
  const isWhole =
    chain.root !== undefined && !chain.gaps.some(({ kind }) => kind === 'parent_missing' || kind === 'cut')
  return {
    trace: chain.trace,
    began: new Date(chain.at / 1000).toISOString(),
    duration_us: chain.until - chain.at,
    complete: breaks.length === 0,
    calls: chain.hops.length,
    asynchronous: chain.hops.filter((hop) => asynchrony(hop) !== '').length,
    fan_out: fanOut(chain),
    shape: isWhole && chain.root ? shapeOf(chain.root).id : '',
    cut: chain.cut,
    breaks: breaks.map(placeOf),
    users_lost: told.filter(({ kind }) => kind === 'user_lost').map(placeOf),
    hops: treeOf(chain, told),
  }
}

const placeOf = ({ kind, caller, callee, operation }: FoundGap) => ({
  ...{ kind, caller, callee, operation, why: GAP_REASONS[kind] },
})

function treeOf(chain: Chain, told: readonly FoundGap[]): ChainHop[] {
  const gaps = Map.groupBy(told, ({ hop }) => hop)
  const draw = (hop: Hop): ChainHop => ({
    caller: hop.caller || (hop.parent?.callee ?? ''),
    ...{
      callee: hop.callee,
      method: hop.method,
      path: hop.path,
      start_us: hop.at - chain.at,
      duration_us: hop.until - hop.at,
    },
    server_span: hop.server !== undefined,
    client_span: hop.via !== undefined,
    ...{ callee_log: hop.calleeLog, caller_log: hop.callerLog || hop.sharesCallerLog, asynchronous: asynchrony(hop) },
    ...{ user_issuer: hop.userIssuer, user_subject: hop.userSubject },
    gaps: [...new Set((gaps.get(hop) ?? []).map(({ kind }) => kind))],
    calls: hop.children.toSorted((a, b) => a.at - b.at).map(draw),
  })
  const { root, hops } = chain
  const tops = hops.filter((hop) => !hop.parent)
  return (root?.isOrigin ? [root, ...tops] : tops).map(draw)
}
