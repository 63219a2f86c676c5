import { userInfo } from 'node:os'
import { CinchError } from '../model/errors.ts'
import type { Arguments, Options } from './options.ts'

/** Every act on policies says why; who it was is the user's name. */
export const WHY: Options = { why: { type: 'string', value: 'TEXT', help: 'why; kept in the log' } }

/**
 * Who does it, and why. Over the API of a serving process it is the token that says who.
 * @throws CinchError `usage`
 */
export function authorOf(args: Arguments): { who: string; why: string } {
  const why = args.text('why')
  if (!why) throw new CinchError('usage', 'no --why is given', 'say why: it is kept in the log')
  return { who: userName() ?? 'unknown', why }
}

/** Undefined where the system does not know: a container's user may have no entry. */
export function userName(): string | undefined {
  try {
    return userInfo().username
  } catch {
    // A container's user may have no entry.
    return undefined
  }
}
