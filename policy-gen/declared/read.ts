import { parse } from 'yaml'
import {
  DECLARATION_KINDS,
  type Declaration,
  type DeclarationKind,
  type Declared,
} from '../../services/model/declaration.ts'
import { PolicyError } from '../errors.ts'
import { isPrincipal } from '../naming.ts'

/** In one file, and in all that stand. */
export const DECLARATIONS_MAX = 10_000
const TEXT_LENGTH_MAX = 1024
const PATH_LENGTH_MAX = 2048

const FIELDS = ['id', 'kind', 'caller', 'callee', 'port', 'method', 'path', 'owner', 'reason', 'expires'] as const
type Fields = Partial<Record<(typeof FIELDS)[number], unknown>>

/**
 * Reads declared permissions, YAML or JSON: `permissions: [{id, kind, caller, callee, port, method, path, owner, reason, expires}]`.
 *
 * @throws PolicyError `bad_policy` that names the entry and the field
 */
export function readDeclarations(content: string, file: string): Declaration[] {
  const list = listIn(content, file)
  const declarations = list.map((entry, at) => readDeclaration(entry, `${file}: permission ${at + 1}`))
  const ids = new Set(declarations.map(({ id }) => id))
  if (ids.size < declarations.length) throw new PolicyError('bad_policy', 'two permissions have the same id', file)
  return declarations
}

/** @throws PolicyError `bad_policy` */
export function readDeclaration(entry: unknown, where: string): Declaration {
  const fail = (why: string): never => {
    throw new PolicyError('bad_policy', why, where)
  }
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return fail('is no permission')
  const unknown = Object.keys(entry).find((key) => !FIELDS.some((field) => field === key))
  if (unknown !== undefined) fail(`has the field ${JSON.stringify(unknown)}; fields are: ${FIELDS.join(', ')}`)
  const fields: Fields = entry
  const text = (name: keyof Fields, pattern: RegExp, what: string, otherwise?: string): string => {
    const value = fields[name] ?? otherwise
    return typeof value === 'string' && value.length <= PATH_LENGTH_MAX && pattern.test(value)
      ? value
      : fail(`its ${name} must be ${what}, not ${JSON.stringify(value)?.slice(0, 100)}`)
  }
  const caller = text('caller', /^/, 'a principal')
  if (!isPrincipal(caller))
    fail(`its caller must be a principal such as cluster.local/ns/dr/sa/failover, not ${JSON.stringify(caller)}`)
  const path = text(
    'path',
    PATH,
    'a path of plain characters, with {int}, {uuid} or another name in braces for a parameter',
    '',
  )
  const method = text('method', /^[A-Z-]*$/, 'a method in capitals', '')
  if (path !== '' && method === '') fail('it has a path and no method')
  return {
    id: text('id', /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/, 'a name of small letters, digits, dots and hyphens'),
    kind: text(
      'kind',
      new RegExp(`^(${DECLARATION_KINDS.join('|')})$`),
      `one of ${DECLARATION_KINDS.join(', ')}`,
    ) as DeclarationKind,
    caller,
    callee: text('callee', /^[^/\s]+\/[^/\s]+(\/[^/\s]+)?$/, 'namespace/workload or cluster/namespace/workload'),
    port: portOf(fields.port ?? 0, fail),
    method,
    path,
    owner: text('owner', SAID, 'who answers for it'),
    reason: text('reason', SAID, `why, in ${TEXT_LENGTH_MAX} characters at most`),
    expires: momentOf(fields.expires, fail),
  }
}

const SAID = new RegExp(`^(?=.*\\S)[^\\p{Cc}]{1,${TEXT_LENGTH_MAX}}$`, 'u')
/** RFC 3986's unreserved characters and parameters: what every target writes alike. */
const PATH = /^$|^\/$|^(\/([A-Za-z0-9._~-]+|\{[a-z][a-z0-9_]*\}))+\/?$/

function listIn(content: string, file: string): unknown[] {
  let value: unknown
  try {
    value = parse(content)
  } catch (error) {
    throw new PolicyError('bad_policy', `is no valid YAML: ${error instanceof Error ? error.message : error}`, file)
  }
  const list = typeof value === 'object' && value !== null && 'permissions' in value ? value.permissions : undefined
  if (!Array.isArray(list)) throw new PolicyError('bad_policy', 'has no list "permissions"', file)
  if (list.length > DECLARATIONS_MAX)
    throw new PolicyError('bad_policy', `has more than ${DECLARATIONS_MAX} permissions`, file)
  return list
}

function portOf(value: unknown, fail: (why: string) => never): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65535
    ? value
    : fail(`its port must be a number from 1 to 65535, not ${JSON.stringify(value)}`)
}

// YAML 1.2 reads a time as text; JSON has no times at all.
function momentOf(value: unknown, fail: (why: string) => never): string {
  const isTime = typeof value === 'string' && /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?Z)?$/.test(value)
  const ms = isTime ? Date.parse(value) : Number.NaN
  return Number.isNaN(ms)
    ? fail(`its expiry must be a time such as 2027-03-01T00:00:00Z, not ${JSON.stringify(value)}`)
    : new Date(ms).toISOString()
}

/** Which of them hold at a moment; from its expiry on a declaration does not. @param now ISO 8601, UTC, milliseconds */
export function declaredAt(declarations: readonly Declaration[], now: string): Declared {
  const sorted = [...declarations].sort((a, b) => (a.id < b.id ? -1 : 1))
  return {
    active: sorted.filter(({ expires }) => expires > now),
    expired: sorted.filter(({ expires }) => expires <= now),
  }
}
