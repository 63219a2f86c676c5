import { CinchError } from '../model/errors.ts'
import type { By } from './lifecycle/log.ts'

/** Who says something over the API: there is one token so far, and who has it is called this. */
export const HOLDER = 'admin'

/** Of a text that is kept. */
export const WHY_LENGTH_MAX = 1024

/** Who says something and why, as it is kept. @throws CinchError `bad_option` */
export const byOf = ({ who, why }: By): By => ({ who: saidText(who, 'who does it'), why: saidText(why, 'why') })

/** A text of a person, as it is kept. @param name what it is, as the error calls it @throws CinchError `bad_option` */
export function saidText(value: string, name: string): string {
  const clean = value.trim().toWellFormed()
  if (clean !== '' && clean.length <= WHY_LENGTH_MAX) return clean
  throw new CinchError(
    'bad_option',
    `${name} is not told, or is longer than ${WHY_LENGTH_MAX} characters`,
    'say it: it is kept in the log',
  )
}
