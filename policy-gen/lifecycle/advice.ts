import type { Advice, DraftLife, MeasuredCall } from '../../services/model/lifecycle.ts'

/** In fewer requests, a dry run has not shown what it would deny. */
const REQUESTS_MIN = 100
/** So long a dry run lasts at least: a day has what happens by the day. */
const DRY_RUN_MS_MIN = 86_400_000
/** Standard deviations of a count (Poisson) beyond which more was denied than replay said. */
const SIGMAS = 3
const CALLS_SHOWN_MAX = 20

/** What was measured at a draft's callee since it came to its state. */
export interface Measured {
  requests: number
  /** What was denied, or would have been. */
  calls: readonly MeasuredCall[]
}

/**
 * What measured denials say of deployed drafts: promote a dry run that denies no more than replay said, roll back what denies more.
 * Only what was served before counts against a draft: the refusal of what nobody was seen to do is what a policy is for, and is told.
 *
 * @param wasServed whether a call was served in the draft's own window
 */
export function adviceOf(
  draft: DraftLife,
  measured: Measured,
  wasServed: (call: MeasuredCall) => boolean,
  nowMs: number,
): Advice {
  const { state, predicted } = draft
  const counted = measured.calls.filter(({ decision }) => decision === (state === 'dry_run' ? 'would_deny' : 'denied'))
  const served = counted.filter(wasServed)
  const unknown = counted.filter((call) => !wasServed(call))
  const denied = sum(served)
  const expected = predicted.requests > 0 ? (measured.requests * predicted.newly_denied) / predicted.requests : 0
  const isMore = denied > expected + SIGMAS * Math.sqrt(expected)
  const { action, why } = isMore ? more(draft, denied, expected) : asPredicted(draft, measured.requests, nowMs)
  return {
    ...{ target: draft.target, callee: draft.callee, digest: draft.digest, action, why },
    requests: measured.requests,
    denied,
    expected: Math.round(expected),
    unknown: sum(unknown),
    calls: [...served, ...unknown].sort((a, b) => b.requests - a.requests).slice(0, CALLS_SHOWN_MAX),
  }
}

type Said = Pick<Advice, 'action' | 'why'>

function more({ state, replaces }: DraftLife, denied: number, expected: number): Said {
  const action = state === 'enforced' && replaces !== '' ? 'roll_back' : 'withdraw'
  return {
    action,
    why: `${denied} requests of kinds that were served before, where replay said ${Math.round(expected)}`,
  }
}

function asPredicted({ state, at }: DraftLife, requests: number, nowMs: number): Said {
  if (state === 'enforced') return { action: 'keep', why: 'it denies no more than replay said' }
  if (requests < REQUESTS_MIN)
    return { action: 'wait', why: `${requests} of ${REQUESTS_MIN} requests were seen in its dry run` }
  if (nowMs - Date.parse(at) < DRY_RUN_MS_MIN) return { action: 'wait', why: 'its dry run has not lasted a day' }
  return {
    action: 'promote',
    why: 'its dry run denies no more than replay said; a proxy that does not log dry runs looks the same',
  }
}

/** Approved drafts in the order in which they are to be promoted: the least that can go wrong first. */
export function leastRiskyFirst(drafts: readonly DraftLife[]): DraftLife[] {
  const key = ({ callee, predicted }: DraftLife) =>
    [callee.endsWith('/*') ? 1 : 0, predicted.denied_operations, predicted.newly_denied, predicted.requests] as const
  return [...drafts].sort((a, b) => {
    const [left, right] = [key(a), key(b)]
    const at = left.findIndex((value, index) => value !== right[index])
    return at < 0 ? (a.callee < b.callee ? -1 : 1) : (left[at] ?? 0) - (right[at] ?? 0)
  })
}

const sum = (calls: readonly MeasuredCall[]) => calls.reduce((total, { requests }) => total + requests, 0)
