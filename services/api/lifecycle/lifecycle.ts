import { declaredAt } from '../../../policy-gen/declared/read.ts'
import { deliveryOf, dueStage } from '../../../policy-gen/lifecycle/deliver.ts'
import { draftIn, lifeKey } from '../../../policy-gen/lifecycle/machine.ts'
import { refusal } from '../../../policy-gen/lifecycle/refusal.ts'
import { deployedIn, filesAt, foreignIn, stageOf } from '../../../policy-gen/lifecycle/stages.ts'
import { digestOf, filesOf, type Unit } from '../../../policy-gen/lifecycle/units.ts'
import { CHANGE_WINDOWS_MAX, readChangeWindow } from '../../../policy-gen/lifecycle/windows.ts'
import { targetById } from '../../../policy-gen/targets/index.ts'
import type { PolicyFile } from '../../../policy-gen/targets/target.ts'
import type { Declaration } from '../../model/declaration.ts'
import { CinchError } from '../../model/errors.ts'
import type {
  Action,
  DraftContent,
  DraftId,
  DraftLife,
  LogEntry,
  Predicted,
  Said,
  Step,
} from '../../model/lifecycle.ts'
import { readDraft, saveDrafts } from '../../store/queries/policy-log.ts'
import type { Store } from '../../store/store.ts'
import { declare, lift } from './declare.ts'
import { type By, createPolicyLog, type PolicyLog } from './log.ts'

export const TARGET_DEFAULT = 'istio'

/** A step that a person takes; `propose` and `confirm` follow from what is generated and read back. */
export type PersonStep = Exclude<Step, { action: 'propose' | 'confirm' }>
export type PersonAction = Exclude<Action, 'propose' | 'confirm'>

/** Which draft is meant: the callee's newest where no digest is given; a digest may be shortened. */
export interface AskedDraft {
  target?: string | undefined
  callee: string
  digest?: string | undefined
}

/** A unit, and what replay said of it. */
export type Candidate = Unit & { predicted: Predicted }

export interface Proposed {
  proposed: DraftId[]
  /** Callees whose draft says the same already. */
  unchanged: number
}

export interface ReadBack {
  confirmed: (DraftId & { stage: string })[]
  /** Approved content that is deployed in part, or not as it was approved. */
  partial: DraftId[]
  /** Deployed, and nobody promoted it there. */
  refused: (DraftId & { stage: string; why: string })[]
  /** Deployed policies of the same kinds that no draft has: what others wrote, or somebody changed. */
  foreign: string[]
}

export interface DraftAnswer extends DraftLife {
  permissions: DraftContent['permissions']
  files: PolicyFile[]
}

/** The life of policies: drafts, who approved them, what is deployed; and what owners declare. */
export interface Lifecycle {
  drafts(): Promise<DraftLife[]>
  /** @throws CinchError `not_found`, `step_refused` where what is kept is not what its digest says */
  draft(asked: AskedDraft): Promise<DraftAnswer>
  propose(candidates: readonly Candidate[], by: By): Promise<Proposed>
  /** @throws CinchError `not_found`, `step_refused` */
  step(asked: AskedDraft, step: PersonStep, by: By): Promise<DraftLife>
  /** The files of all that may be deployed, each draft in its stage. @throws CinchError `step_refused` */
  deliver(target: string): Promise<PolicyFile[]>
  /** Holds what is deployed against what was approved. */
  readBack(files: PolicyFile[], target: string, by: By): Promise<ReadBack>
  declarations(): Promise<{ active: readonly Declaration[]; expired: readonly Declaration[] }>
  /** Declares, or declares anew under the same id. */
  declare(declarations: readonly unknown[], by: By): Promise<Declaration[]>
  lift(id: string, by: By): Promise<void>
  /** When promotions may happen; none for always. @throws PolicyError `bad_option` */
  changeWindows(windows: string[], by: By): Promise<void>
  windows(): Promise<readonly string[]>
  entries: PolicyLog['entries']
  verify: PolicyLog['verify']
}

/** @param now for tests */
export function createLifecycle(store: Store, now: () => number = () => Date.now()): Lifecycle {
  const log = createPolicyLog(store, now)
  const find = async ({ target = TARGET_DEFAULT, callee, digest = '' }: AskedDraft): Promise<DraftLife> => {
    const all = (await log.life()).drafts.get(lifeKey({ target, callee })) ?? []
    const found =
      digest === ''
        ? [all.findLast(({ state }) => state !== 'withdrawn') ?? all.at(-1)]
        : all.filter((one) => one.digest.startsWith(digest))
    const [draft, another] = found
    if (draft && !another) return draft
    const what = another
      ? `more than one draft of '${callee}' begins with ${digest}`
      : `there is no such draft of '${callee}' for ${target}`
    throw new CinchError('not_found', what, 'see cinch policies drafts')
  }
  const contentOf = async (id: DraftId): Promise<DraftContent> => {
    const content = await readDraft(store.reads, id)
    if (content && digestOf(content, targetById(id.target)) === id.digest) return content
    throw new CinchError(
      'step_refused',
      `what is kept of the draft of '${id.callee}' is not what its digest says`,
      'propose it anew: the store was changed, or this version of Cinch writes it in another way',
    )
  }
  return {
    drafts: async () => [...(await log.life()).drafts.values()].flat(),
    draft: async (asked) => {
      const life = await find(asked)
      const content = await contentOf(life)
      return { ...life, permissions: content.permissions, files: filesOf(content, targetById(life.target)) }
    },
    propose: async (candidates, by) => await propose(store, log, candidates, by),
    step: async (asked, step, by) => {
      const draft = await find(asked)
      // What goes on must be what it says it is.
      const needsContent = step.action === 'approve' || step.action === 'promote' || step.action === 'roll_back'
      const content = needsContent ? await contentOf(draft) : undefined
      const target = targetById(draft.target)
      // Of what leaves a namespace there is none, whatever the target has.
      const hasDryRun = content ? filesAt('dry_run', filesOf(content, target), target).length > 0 : !!target.dryRun
      await log.append(by, (life, at) => {
        const why = refusal(life, draft, step, { at, hasDryRun, expired: expiredIn(content, at) })
        if (why !== null) throw new CinchError('step_refused', `'${draft.callee}': ${why}`, 'see cinch policies drafts')
        return [said(draft, step)]
      })
      return await find({ ...draft })
    },
    deliver: async (id) => {
      const drafts = [...(await log.life()).drafts.values()]
        .flat()
        .filter((life) => life.target === id && dueStage(life) !== null)
      const found: { life: DraftLife; content: DraftContent }[] = []
      for (const life of drafts) found.push({ life, content: await contentOf(life) })
      return deliveryOf(found, targetById(id))
    },
    readBack: async (files, target, by) => await readBack(log, contentOf, files, target, by),
    ...settings(log, now),
    entries: log.entries,
    verify: log.verify,
  }
}

type Settings = 'declarations' | 'declare' | 'lift' | 'changeWindows' | 'windows'

/** What is said of all drafts. */
function settings(log: PolicyLog, now: () => number): Pick<Lifecycle, Settings> {
  return {
    declarations: async () => declaredAt([...(await log.life()).declarations.values()], new Date(now()).toISOString()),
    declare: async (declarations, by) => await declare(log, declarations, by),
    lift: async (id, by) => await lift(log, id, by),
    changeWindows: async (windows, by) => {
      if (windows.length > CHANGE_WINDOWS_MAX)
        throw new CinchError(
          'bad_option',
          `there are more than ${CHANGE_WINDOWS_MAX} change windows`,
          'join some of them',
        )
      for (const window of windows) readChangeWindow(window)
      await log.append(by, () => [{ about: 'windows', windows }])
    },
    windows: async () => (await log.life()).windows,
  }
}

const idOf = ({ target, callee, digest }: DraftId): DraftId => ({ target, callee, digest })
const said = (draft: DraftId, step: Step): Said => ({ about: 'draft', draft: idOf(draft), step })

/** Declarations without which a permission of the draft would not be there, and that hold no more. */
function expiredIn(content: DraftContent | undefined, at: string): string[] {
  const unseen = (content?.permissions ?? []).filter(({ evidence }) => evidence.requests === 0)
  const gone = unseen.filter(({ declared = [] }) => declared.every(({ expires }) => expires <= at))
  return [...new Set(gone.flatMap(({ declared = [] }) => declared.map(({ id }) => id)))].sort()
}

async function propose(store: Store, log: PolicyLog, candidates: readonly Candidate[], by: By): Promise<Proposed> {
  const isNew = (life: Awaited<ReturnType<PolicyLog['life']>>, at: string) =>
    candidates.filter((candidate) => {
      const { owners, predicted } = candidate
      return (
        refusal(life, candidate, { action: 'propose', owners, predicted }, { at, hasDryRun: false, expired: [] }) ===
        null
      )
    })
  // Before the log names them: a draft that is named and not kept could never be approved.
  await saveDrafts(store.jobs, isNew(await log.life(), new Date().toISOString()))
  const entries = await log.append(by, (life, at) =>
    isNew(life, at).map((one) => said(one, { action: 'propose', owners: one.owners, predicted: one.predicted })),
  )
  const proposed = draftsIn(entries)
  return { proposed, unchanged: candidates.length - proposed.length }
}

function draftsIn(entries: readonly LogEntry[]): DraftId[] {
  return entries.flatMap(({ said: one }) => (one.about === 'draft' ? [one.draft] : []))
}

function enforcedFirst<Found extends { stage: string }>(found: readonly Found[]): Found[] {
  return [...found].sort((a, b) => Number(b.stage === 'enforced') - Number(a.stage === 'enforced'))
}

async function readBack(
  log: PolicyLog,
  contentOf: (id: DraftId) => Promise<DraftContent>,
  files: readonly PolicyFile[],
  targetId: string,
  by: By,
): Promise<ReadBack> {
  const target = targetById(targetId)
  const deployed = deployedIn(files)
  const drafts = [...(await log.life()).drafts.values()]
    .flat()
    .filter((draft) => draft.target === targetId && draft.state !== 'withdrawn')
  const found: { draft: DraftLife; stage: ReturnType<typeof stageOf> }[] = []
  const contents: PolicyFile[] = []
  for (const draft of drafts) {
    const own = filesOf(await contentOf(draft), target)
    contents.push(...own)
    found.push({ draft, stage: stageOf(deployed, own, target) })
  }
  const both = (content: PolicyFile[]) =>
    (['enforced', 'dry_run'] as const).flatMap((stage) => filesAt(stage, content, target))
  const foreign = foreignIn(deployed, both(contents))
  const result: ReadBack = { confirmed: [], partial: [], refused: [], foreign }
  await log.append(by, (life, at) => {
    Object.assign(result, { confirmed: [], partial: [], refused: [] })
    const replaced = new Set<string>()
    return enforcedFirst(found).flatMap(({ draft, stage }) => {
      const id = idOf(draft)
      if (stage === 'partial') result.partial.push(id)
      if (stage === 'partial' || stage === draftIn(life, id)?.state) return []
      // What another took the place of is withdrawn by that, so that a rollback finds it.
      if (stage === 'absent' && replaced.has(lifeKey(id))) return []
      const step: Step = { action: 'confirm', stage }
      const why = refusal(life, id, step, { at, hasDryRun: target.dryRun !== undefined, expired: [] })
      if (why !== null) {
        if (stage !== 'absent') result.refused.push({ ...id, stage, why })
        return []
      }
      result.confirmed.push({ ...id, stage })
      if (stage === 'enforced') replaced.add(lifeKey(id))
      return [said(id, step)]
    })
  })
  return result
}
