import type { Expectation, Gap, GapKind } from '../../model/chain.ts'
import { expectationKey } from './gaps.ts'

/** Something is expected where it was there in at least this share of the window's cases. */
const EXPECTED_SHARE = 0.5
/** An operation is called by others, not from outside, where it was in at least this share of at least so many cases. */
const CALLED_SHARE = 0.9
const CASES_MIN = 5

/** Kinds that tell something about a complete chain. */
const NO_BREAK: ReadonlySet<GapKind> = new Set(['user_lost', 'calls_on'])

export const GAP_REASONS: Record<GapKind, string> = {
  parent_missing: 'what called it sent no span: not reported, sampled away, or a context from elsewhere',
  server_missing:
    'the client reported the call, the callee reported nothing: not reported, or the context was lost on the way',
  span_missing: 'log lines tell of the call, no span does',
  callee_log_missing: "the callee's proxy logged nothing, though it otherwise logs",
  caller_log_missing: "the caller's proxy logged nothing, though it otherwise logs",
  sampled_away: 'only log lines tell of the whole chain, though its callees otherwise report spans',
  restarted: 'it begins at an operation that others call: its context was lost before, or it was called directly',
  user_lost: "the caller's request had an end user, this one's line has none",
  calls_on: 'the called service calls on',
  cut: 'more spans and lines than one chain may have',
}

export interface Judge {
  /** Whether a gap breaks its chain, by what the window as a whole shows. */
  isBreak(gap: Gap): boolean
  /** Whether a gap is told at all: a break, or a user that was lost. */
  isTold(gap: Gap): boolean
}

/**
 * Decides which gaps are breaks. A client's span without a server's is none where the callee never reports spans (an external
 * host), and a missing line is none where a proxy does not log. So each is held against how often it was there in the window.
 *
 * It does not see: what is missing always (a service that never reports is taken for one that does not report, below half of all
 * cases); a leaf that left no client's span, line or child behind; and links between traces, which are not stored.
 */
export function createJudge(expectations: readonly Expectation[]): Judge {
  const counts = new Map(expectations.map((expectation) => [expectationKey(expectation), expectation]))
  const isBreak = (gap: Gap): boolean => {
    if (NO_BREAK.has(gap.kind)) return false
    // A place that was left out for want of room says only that something is missing there.
    if (gap.kind === 'cut' || gap.caller + gap.callee + gap.operation === '') return true
    const { met = 0, unmet = 0 } = counts.get(expectationKey(gap)) ?? {}
    const share = met / Math.max(1, met + unmet)
    if (gap.kind === 'restarted') return met + unmet >= CASES_MIN && share >= CALLED_SHARE
    // A parent that is named and absent is missing, unless the operation is always entered with a context from outside.
    // Inner spans without an entry are of a service that reports entries, or of one that has none.
    if (gap.kind === 'parent_missing')
      return met + unmet < CASES_MIN || (gap.operation === '' ? met > 0 : share >= EXPECTED_SHARE)
    return share >= EXPECTED_SHARE
  }
  return { isBreak, isTold: (gap) => gap.kind === 'user_lost' || isBreak(gap) }
}

/** Reads the gaps of a stored row. */
export function readGaps(text: string): Gap[] {
  if (text === '') return []
  return (JSON.parse(text) as [GapKind, string, string, string][]).map(([kind, caller, callee, operation]) => ({
    ...{ kind, caller, callee, operation },
  }))
}
