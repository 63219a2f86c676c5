import type { Learner } from '../analyzer/templates/job.ts'
import { createPins } from '../analyzer/templates/pins.ts'
import { CinchError } from '../model/errors.ts'
import type { PinWord, TemplateSet } from '../model/template.ts'
import {
  type ChangeRow,
  type PinRow,
  readChanges,
  readPins,
  readTemplateSets,
  readTemplates,
  type TemplateRow,
} from '../store/queries/templates.ts'
import type { Store } from '../store/store.ts'

/** Changes that are told of a callee, the newest. */
const CHANGES_MAX = 1_000

/** Times are ISO 8601, UTC. */
export interface CalleeTemplates {
  set: SetAnswer
  templates: Omit<TemplateRow, 'callee' | 'role' | 'segments'>[]
  pins: PinAnswer[]
  changes: (Omit<ChangeRow, 'callee'> & { at: string })[]
}

export type SetAnswer = Omit<TemplateSet, 'written' | 'pins'> & { learned: string; pins: number }
export type PinAnswer = Omit<PinRow, 'said'> & { said: string }

export interface Templates {
  /** What was learned of each callee, without its templates. */
  list(): Promise<SetAnswer[]>
  /** @throws CinchError `not_found` */
  ofCallee(callee: string): Promise<CalleeTemplates>
  /**
   * Splits, merges, or lifts what was said before, and learns the callee anew.
   * @throws CinchError `bad_option` for what names no position, `not_found` for a callee that nothing is known of
   */
  pin(word: PinWord): Promise<CalleeTemplates>
}

export function createTemplates(store: Store, learner: Learner): Templates {
  const ofCallee = async (callee: string): Promise<CalleeTemplates> => {
    const [[set], rows, pins, changes] = await Promise.all([
      readTemplateSets(store.reads, [callee]),
      readTemplates(store.reads, [callee]),
      readPins(store.reads),
      readChanges(store.reads, callee, CHANGES_MAX),
    ])
    if (!set) throw new CinchError('not_found', `nothing was learned of '${callee}'`, 'see cinch operations')
    const own = pins.filter((pin) => pin.callee === callee)
    return {
      set: setAnswer(set, own),
      templates: rows
        .filter(({ role }) => role === 'template')
        .map(({ callee: _callee, role: _role, segments: _segments, ...row }) => row),
      pins: own.map((pin) => ({ ...pin, said: iso(pin.said) })),
      changes: changes.map(({ callee: _, written, ...change }) => ({ ...change, at: iso(written) })),
    }
  }
  const pins = createPins(store, learner)
  return {
    list: async () => {
      const [sets, all] = await Promise.all([readTemplateSets(store.reads), readPins(store.reads)])
      return sets.map((set) =>
        setAnswer(
          set,
          all.filter(({ callee }) => callee === set.callee),
        ),
      )
    },
    ofCallee,
    pin: async (word) => {
      await pins(word, Date.now())
      return await ofCallee(word.callee)
    },
  }
}

const iso = (milliseconds: number) => new Date(milliseconds).toISOString()

function setAnswer({ written, pins: _, ...set }: TemplateSet, pins: readonly PinRow[]): SetAnswer {
  return { ...set, pins: pins.length, learned: iso(written) }
}
