import { DECLARATIONS_MAX, readDeclaration } from '../../../policy-gen/declared/read.ts'
import type { Declaration } from '../../model/declaration.ts'
import { CinchError } from '../../model/errors.ts'
import type { By, PolicyLog } from './log.ts'

/** Declares permissions. @throws PolicyError `bad_policy` that names the entry; CinchError `bad_option` */
export async function declare(log: PolicyLog, entries: readonly unknown[], by: By): Promise<Declaration[]> {
  const declarations = entries.map((entry, at) => readDeclaration(entry, `permission ${at + 1}`))
  await log.append(by, (life, at) => {
    const expired = declarations.find(({ expires }) => expires <= at)
    if (expired)
      throw new CinchError(
        'bad_option',
        `'${expired.id}' expires at ${expired.expires}, which is past`,
        'give a later time',
      )
    const ids = new Set([...life.declarations.keys(), ...declarations.map(({ id }) => id)])
    if (ids.size > DECLARATIONS_MAX)
      throw new CinchError('bad_option', `more than ${DECLARATIONS_MAX} would be declared`, 'lift some of them')
    return declarations.map((declaration) => ({ about: 'declare', declaration }))
  })
  return declarations
}

/** @throws CinchError `not_found` */
export async function lift(log: PolicyLog, id: string, by: By): Promise<void> {
  await log.append(by, (life) => {
    if (!life.declarations.has(id))
      throw new CinchError('not_found', `nothing is declared as '${id}'`, 'see cinch policies declared')
    return [{ about: 'lift', id }]
  })
}
