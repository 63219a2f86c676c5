import type { ReplayCall } from '../../../services/model/replay.ts'
import type { ReplayResult } from '../data/types.ts'

export type VerdictId =
  | 'newly_denied'
  | 'denied_not_found'
  | 'newly_allowed'
  | 'uncertain'
  | 'still_allowed'
  | 'still_denied'

export interface Verdict {
  id: VerdictId
  title: string
  /** What it means, in one sentence. */
  note: string
  requests: number
  /** The calls behind the number; none where replay only counts. */
  calls: readonly ReplayCall[] | undefined
}

/** The outcomes of a replay, in the order in which a reviewer cares; their requests add up to all of them. */
export function verdicts(result: ReplayResult): Verdict[] {
  const sum = (calls: readonly ReplayCall[]) => calls.reduce((total, call) => total + call.requests, 0)
  const { newly_denied, newly_allowed, uncertain, denied_not_found: missing } = result
  return [
    {
      id: 'newly_denied',
      title: 'Would be denied',
      note: 'Served in the window; these policies would refuse them.',
      requests: sum(newly_denied),
      calls: newly_denied,
    },
    ...(missing.length === 0 ? [] : [notFound(sum(missing), missing)]),
    {
      id: 'newly_allowed',
      title: 'Would be newly allowed',
      note: 'Refused in the window; these policies would let them through.',
      requests: sum(newly_allowed),
      calls: newly_allowed,
    },
    {
      id: 'uncertain',
      title: 'Uncertain',
      note: 'What was observed is not enough to decide.',
      requests: sum(uncertain),
      calls: uncertain,
    },
    {
      id: 'still_allowed',
      title: 'Still allowed',
      note: 'Served in the window, and served with these policies.',
      requests: result.still_allowed,
      calls: undefined,
    },
    {
      id: 'still_denied',
      title: 'Still denied',
      note: 'Refused in the window, and refused with these policies: a permission needs the word of the callee’s owner.',
      requests: result.still_denied,
      calls: result.refused,
    },
  ]
}

function notFound(requests: number, calls: readonly ReplayCall[]): Verdict {
  return {
    id: 'denied_not_found',
    title: 'Not found before',
    note: 'Answered in the window that there is nothing (404); these policies would refuse them.',
    requests,
    calls,
  }
}
