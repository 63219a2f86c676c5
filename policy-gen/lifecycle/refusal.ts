import type { DraftId, DraftLife, Step } from '../../services/model/lifecycle.ts'
import { draftIn, isApproved, type Life, lifeKey } from './machine.ts'
import { isAround } from './units.ts'
import { isOpen } from './windows.ts'

/** What a step is judged by, beside the log. */
export interface Facts {
  /** ISO 8601, UTC. */
  at: string
  /** Whether what enforces the target can tell what it would deny. */
  hasDryRun: boolean
  /** Ids of declarations that the draft rests on and that have expired. */
  expired: readonly string[]
}

/** Why a step is not possible, in a sentence; null when it is. */
export function refusal(life: Life, id: DraftId, step: Step, facts: Facts): string | null {
  const draft = draftIn(life, id)
  if (step.action === 'propose') {
    return draft && draft.state !== 'withdrawn' && !draft.stale ? 'it is proposed already' : null
  }
  if (!draft) return 'there is no such draft'
  if (step.action === 'promote') return promotion(life, draft, step.to, facts)
  return step.action === 'confirm' ? confirmation(draft, step.stage) : simple(life, draft, step)
}

type Simple = Exclude<Step, { action: 'propose' | 'promote' | 'confirm' }>

function simple(life: Life, draft: DraftLife, step: Simple): string | null {
  const is = (...states: DraftLife['state'][]) =>
    states.includes(draft.state) ? null : `it is ${STATE_NAMES[draft.state]}`
  switch (step.action) {
    case 'submit':
      return staleness(draft) ?? is('draft')
    case 'return':
      return is('in_review')
    case 'approve':
      return staleness(draft) ?? is('in_review') ?? approval(draft, step)
    case 'withdraw':
      if (draft.state === 'withdrawn' || draft.wanted === 'withdrawn') return 'it is withdrawn already'
      return draft.state === 'enforced' ? defaultStillThere(life, draft) : null
    case 'roll_back':
      return is('dry_run', 'enforced') ?? rollback(life, draft)
  }
}

const STATE_NAMES: Record<DraftLife['state'], string> = {
  draft: 'a draft that is not in review',
  in_review: 'in review',
  approved: 'approved',
  dry_run: 'in its dry run',
  enforced: 'enforced',
  withdrawn: 'withdrawn',
}

function staleness({ stale }: DraftLife): string | null {
  return stale ? 'a later draft of the callee stands: withdraw that one, or go on with it' : null
}

function approval(
  draft: DraftLife,
  { as, acknowledged, unowned }: Extract<Step, { action: 'approve' }>,
): string | null {
  const { owners, approvals, predicted } = draft
  if (as === '') return 'who approves is not told'
  if (owners.length > 0 && !owners.includes(as)) return `its owner is ${owners.join(', ')}, not ${as}`
  if (owners.length === 0 && !unowned)
    return 'nobody is declared as its owner: whoever approves must say that it is unowned'
  if (approvals.some((one) => one.as === as)) return `${as} has approved it already`
  if (acknowledged === predicted.denied_operations) return null
  return `${predicted.denied_operations} operations that were served would be denied: all must be seen and acknowledged, ${acknowledged} were`
}

function promotion(life: Life, draft: DraftLife, to: 'dry_run' | 'enforced', facts: Facts): string | null {
  const { state, wanted } = draft
  const next = state === 'approved' && facts.hasDryRun ? 'dry_run' : 'enforced'
  if (state !== 'approved' && state !== 'dry_run') return `it is ${STATE_NAMES[state]}`
  if (!isApproved(draft)) return 'its approval was taken back'
  if (wanted === 'withdrawn') return 'it is being withdrawn'
  if (to !== next) return to === 'enforced' ? 'it must have its dry run first' : 'it cannot have a dry run now'
  if (wanted === to) return 'it is promoted already'
  if (facts.expired.length > 0)
    return `it rests on declarations that have expired: ${facts.expired.join(', ')}; propose it anew`
  const early = to === 'enforced' ? defaultTooEarly(life, draft) : null
  if (early) return early
  const closed = isOpen(life.windows, facts.at) ? null : `no change window is open: ${life.windows.join('; ')}`
  return staleness(draft) ?? closed
}

// What was read back is a fact; it counts only where somebody was allowed to bring it about.
function confirmation(draft: DraftLife, stage: 'absent' | 'dry_run' | 'enforced'): string | null {
  const { state, wanted } = draft
  if (state === stage) return `it is ${STATE_NAMES[state]} already`
  if (stage === 'absent') return state === 'dry_run' || state === 'enforced' ? null : 'it was not deployed'
  if (wanted === 'withdrawn') return 'it is being withdrawn'
  if (!isApproved(draft)) return 'it is not approved'
  if (stage === 'enforced') return wanted === 'enforced' ? null : 'it was not promoted to be enforced'
  return state === 'enforced' || (state === 'approved' && wanted !== '') ? null : 'it was not promoted to a dry run'
}

function rollback(life: Life, draft: DraftLife): string | null {
  if (draft.wanted === 'withdrawn') return 'it is being withdrawn'
  const before = life.drafts.get(lifeKey(draft))?.find(({ digest }) => digest === draft.replaces)
  if (!before) return 'nothing was enforced before it: withdraw it'
  return isApproved(before) ? null : 'what was enforced before it was withdrawn by itself'
}

const around = (callee: string) => callee.replace(/[^/]*$/, '*')
const isEnforced = (drafts: readonly DraftLife[] = []) =>
  drafts.some(({ state, wanted }) => state === 'enforced' && wanted !== 'withdrawn')

/** What is denied by default is denied last: whoever is not allowed yet would be cut off. */
function defaultTooEarly(life: Life, { target, callee }: DraftLife): string | null {
  if (callee !== around(callee)) return null
  const own = [...life.drafts.values()].filter(
    ([first]) => first && first.target === target && !isAround(first.callee) && around(first.callee) === callee,
  )
  const open = own.filter((drafts) => !isEnforced(drafts) && drafts.some(({ state }) => state !== 'withdrawn'))
  const names = open.map(([first]) => first?.callee ?? '').sort()
  return names.length > 0
    ? `${names.length} callees of its namespace are not enforced yet: ${names.slice(0, 5).join(', ')}`
    : null
}

/** And goes first: without what allows, it would deny everything. */
function defaultStillThere(life: Life, { target, callee }: DraftLife): string | null {
  if (isAround(callee)) return null
  const isDenied = isEnforced(life.drafts.get(lifeKey({ target, callee: around(callee) })))
  return isDenied ? `${around(callee)} denies by default what it allows: withdraw that first` : null
}
