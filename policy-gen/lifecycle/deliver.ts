import type { DraftContent, DraftLife, Stage } from '../../services/model/lifecycle.ts'
import { kubernetesName } from '../grants/names.ts'
import type { PolicyFile, Target } from '../targets/target.ts'
import { filesAt } from './stages.ts'
import { filesOf } from './units.ts'

/** The stage in which a draft belongs into the cluster: where it is, or where it may go; null for nowhere. */
export function dueStage({ state, wanted }: DraftLife): Exclude<Stage, 'absent'> | null {
  if (wanted === 'withdrawn') return null
  if (wanted !== '') return wanted
  return state === 'dry_run' || state === 'enforced' ? state : null
}

/**
 * The files of all that may be deployed, for a Git repository that the cluster pulls: the same drafts give the same files. Of a callee
 * that has an enforced draft and a later one in its dry run, both are there where the target can have both, else what is enforced; one
 * that is to be enforced takes the place of the one that is.
 *
 * @param drafts of each callee in the order in which they were proposed
 */
export function deliveryOf(
  drafts: readonly { life: DraftLife; content: DraftContent }[],
  target: Target,
): PolicyFile[] {
  const files = new Map<string, PolicyFile>()
  for (const stage of ['enforced', 'dry_run'] as const) {
    const due = drafts.filter(({ life }) => dueStage(life) === stage)
    const last = new Map(due.map((draft) => [draft.life.callee, draft]))
    for (const { content } of last.values()) {
      const directory = clusterOf(content)
      for (const { path, content: text } of filesAt(stage, filesOf(content, target), target)) {
        const full = directory === '' ? path : `${directory}/${path}`
        if (!files.has(full)) files.set(full, { path: full, content: text })
      }
    }
  }
  return [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}

function clusterOf({ permissions, egress }: DraftContent): string {
  const cluster = permissions[0]?.callee.cluster ?? egress?.cluster ?? ''
  return cluster === '' ? '' : kubernetesName(cluster)
}
