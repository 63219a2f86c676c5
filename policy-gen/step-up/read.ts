import { parse } from 'yaml'
import { ACRS, type Acr, type Sensitive } from '../../services/model/step-up.ts'
import { PolicyError } from '../errors.ts'
import { fail, field, optionalList, optionalRecord, type Reader, requiredString } from '../replay/fields.ts'

export const SENSITIVE_MAX = 10_000

/**
 * Sensitive operations as people declare them: a YAML or JSON list of `{callee, method, path, acr, max_age_s, why}`.
 *
 * @throws PolicyError `bad_policy` with the entry and what is wrong
 */
export function readSensitive(text: string, file: string): Sensitive[] {
  const list = optionalList(parsed(text, file) ?? [], { file, at: 'the file' }, SENSITIVE_MAX) ?? []
  return list.map((one, at) => readOne(one, { file, at: `entry ${at + 1}` }))
}

function readOne(value: unknown, reader: Reader): Sensitive {
  const { callee, method, path, acr, max_age_s, why } =
    optionalRecord(value ?? undefined, reader, ['callee', 'method', 'path', 'acr', 'max_age_s', 'why']) ?? {}
  if (!ACRS.includes(acr as Acr)) fail(field(reader, 'acr'), `is one of ${ACRS.join(', ')}`)
  if (max_age_s !== undefined && typeof max_age_s !== 'number')
    fail(field(reader, 'max_age_s'), 'is a number of seconds')
  return {
    callee: requiredString(callee, field(reader, 'callee')),
    ...(method === undefined ? {} : { method: requiredString(method, field(reader, 'method')) }),
    ...(path === undefined ? {} : { path: requiredString(path, field(reader, 'path')) }),
    acr: acr as Acr,
    ...(max_age_s === undefined ? {} : { max_age_s }),
    why: requiredString(why, field(reader, 'why')),
  }
}

function parsed(text: string, file: string): unknown {
  try {
    return parse(text, { maxAliasCount: 100 })
  } catch (error) {
    throw new PolicyError('bad_policy', `is no YAML: ${error instanceof Error ? error.message : String(error)}`, file)
  }
}
