import type { Declaration } from '../../services/model/declaration.ts'
import type { DraftId, DraftLife, LogEntry, Predicted, Step } from '../../services/model/lifecycle.ts'

/** All that the log says, as it holds now. */
export interface Life {
  /** By target and callee, in the order in which they were proposed. */
  drafts: ReadonlyMap<string, readonly DraftLife[]>
  declarations: ReadonlyMap<string, Declaration>
  windows: readonly string[]
}

export const lifeKey = ({ target, callee }: Pick<DraftId, 'target' | 'callee'>) => JSON.stringify([target, callee])

/** Reads a log from its beginning. Whether its entries may be believed is what `verifyLog` says. */
export function lifeOf(entries: readonly LogEntry[]): Life {
  const drafts = new Map<string, DraftLife[]>()
  const declarations = new Map<string, Declaration>()
  let windows: string[] = []
  for (const entry of entries) {
    const { said } = entry
    if (said.about === 'windows') windows = said.windows
    if (said.about === 'declare') declarations.set(said.declaration.id, said.declaration)
    if (said.about === 'lift') declarations.delete(said.id)
    if (said.about === 'draft') {
      const key = lifeKey(said.draft)
      drafts.set(key, afterStep(drafts.get(key) ?? [], said.draft, said.step, entry))
    }
  }
  return { drafts, declarations, windows }
}

export function draftIn(life: Life, id: DraftId): DraftLife | undefined {
  return life.drafts.get(lifeKey(id))?.find(({ digest }) => digest === id.digest)
}

/** True when each of its owners approved it, or, where it has none, somebody did. */
export function isApproved({ owners, approvals }: Pick<DraftLife, 'owners' | 'approvals'>): boolean {
  if (owners.length === 0) return approvals.length > 0
  return owners.every((owner) => approvals.some(({ as }) => as === owner))
}

const isDeployed = ({ state }: DraftLife) => state === 'dry_run' || state === 'enforced'
const isLeaving = ({ state, wanted }: DraftLife) => state === 'withdrawn' || wanted === 'withdrawn'

type By = Pick<LogEntry, 'at' | 'who' | 'why'>

/** The drafts of one callee after a step that `refusal` let pass. */
function afterStep(drafts: readonly DraftLife[], id: DraftId, step: Step, { at, who, why }: By): DraftLife[] {
  const by = { at, who, why }
  if (step.action === 'propose') {
    const others = drafts.filter(({ digest }) => digest !== id.digest)
    return marked([...others, proposed(id, step.owners, step.predicted, drafts, by)])
  }
  const self = drafts.find(({ digest }) => digest === id.digest)
  return marked(
    drafts.map((draft) => {
      if (draft.digest === id.digest) return { ...draft, ...ownChange(draft, step, by) }
      return { ...draft, ...(self ? otherChange(draft, self, step, by) : {}) }
    }),
  )
}

function proposed(
  { target, callee, digest }: DraftId,
  owners: string[],
  predicted: Predicted,
  before: readonly DraftLife[],
  by: By,
): DraftLife {
  const replaces = before.find((draft) => draft.state === 'enforced' && draft.digest !== digest)?.digest ?? ''
  const start = { state: 'draft', stale: false, approvals: [], wanted: '' } as const
  return { target, callee, digest, ...start, approvals: [], owners, replaces, predicted, ...by }
}

function ownChange(draft: DraftLife, step: Exclude<Step, { action: 'propose' }>, by: By): Partial<DraftLife> {
  switch (step.action) {
    case 'submit':
      return { state: 'in_review', ...by }
    case 'return':
      return { state: 'draft', approvals: [], ...by }
    case 'approve': {
      const approvals = [...draft.approvals, { as: step.as, who: by.who, at: by.at }]
      return isApproved({ ...draft, approvals }) ? { approvals, state: 'approved', ...by } : { approvals }
    }
    case 'promote':
      return { wanted: step.to }
    case 'confirm':
      return confirmed(draft, step.stage, by)
    case 'withdraw':
      return isDeployed(draft)
        ? { wanted: 'withdrawn', approvals: [] }
        : { state: 'withdrawn', wanted: '', approvals: [], ...by }
    case 'roll_back':
      return { wanted: 'withdrawn' }
  }
}

function confirmed(draft: DraftLife, stage: 'absent' | 'dry_run' | 'enforced', by: By): Partial<DraftLife> {
  if (stage === 'absent') return { state: draft.wanted === 'withdrawn' ? 'withdrawn' : 'approved', wanted: '', ...by }
  return { state: stage, wanted: draft.wanted === stage ? '' : draft.wanted, ...by }
}

/** What a step of one draft does to the others of its callee. */
function otherChange(draft: DraftLife, self: DraftLife, step: Step, by: By): Partial<DraftLife> {
  // One is enforced at a time: its approval stays, so that a rollback can go back to it.
  if (step.action === 'confirm' && step.stage === 'enforced' && isDeployed(draft))
    return { state: 'withdrawn', wanted: '', ...by }
  const isBefore = step.action === 'roll_back' && draft.digest === self.replaces
  return isBefore && draft.state === 'withdrawn' ? { state: 'approved', wanted: 'enforced', ...by } : {}
}

function marked(drafts: readonly DraftLife[]): DraftLife[] {
  const current = drafts.findLast((draft) => !isLeaving(draft))
  return drafts.map((draft) => ({
    ...draft,
    stale: draft !== current && draft.state !== 'enforced' && draft.state !== 'withdrawn',
  }))
}
