import { CinchError } from '../../model/errors.ts'
import type { PinWord } from '../../model/template.ts'
import { readPins, savePin } from '../../store/queries/templates.ts'
import type { Store } from '../../store/store.ts'
import { PATH_LENGTH_MAX, SEGMENTS_MAX } from '../operations/tokens.ts'
import type { Learner } from './job.ts'

/** Words on one callee. Each is looked at for every node of its tree. */
const PINS_MAX = 1_000

/**
 * Keeps a person's word on a position, and learns the callee anew.
 *
 * @throws CinchError `bad_option`, `not_found`
 */
export function createPins(store: Store, learner: Learner): (word: PinWord, nowMs: number) => Promise<void> {
  return async (word, nowMs) => {
    check(word)
    const all = await readPins(store.jobs)
    if (word.kind === 'none' && !all.some((pin) => isSame(pin, word)))
      throw new CinchError('not_found', `nothing was said of ${word.at} at '${word.callee}'`, 'see cinch operations')
    if (word.kind !== 'none' && all.filter(({ callee }) => callee === word.callee).length >= PINS_MAX)
      throw new CinchError('bad_option', `'${word.callee}' has ${PINS_MAX} pins already`, 'lift some of them')
    if (word.kind !== 'none' && !(await learner.knows(word.callee)))
      throw new CinchError('not_found', `no request to '${word.callee}' is known`, 'see cinch operations')
    // A word that is said within the same millisecond is the later one all the same.
    const last = Math.max(0, ...all.filter((pin) => isSame(pin, word)).map(({ said }) => said))
    await savePin(store.jobs, { ...word, said: Math.max(nowMs, last + 1) })
    await learner.learnOne(word.callee, nowMs)
  }
}

const isSame = (a: PinWord, b: PinWord) => a.callee === b.callee && a.at === b.at && a.method === b.method

function check({ kind, at, who, why }: PinWord): void {
  const refuse = (what: string, next: string) => {
    throw new CinchError('bad_option', what, next)
  }
  const segments = at.slice(1).split('/')
  const wrong = segments.some((segment) => /[{}]/.test(segment.replaceAll('{}', '')))
  if (!at.startsWith('/') || at.length > PATH_LENGTH_MAX || segments.length > SEGMENTS_MAX || wrong)
    refuse(`'${at}' is no position`, 'give a path such as /users/me or /regions/{}, parameters before it as {}')
  const isOpen = at.endsWith('/{}')
  if (kind === 'merge' && !isOpen)
    refuse(`'${at}' names no values`, 'end it with /{}: merge /regions/{} makes one parameter of all regions')
  if (kind === 'split' && segments.at(-1)?.includes('{}'))
    refuse(`'${at}' is no name`, 'end it with the name: split /users/me keeps that apart from /users/{}')
  if (who.trim() === '' || why.trim() === '') refuse('who says so, and why, is not told', 'give both')
}
