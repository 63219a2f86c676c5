import { isRecord } from '../fields.ts'
import type { CedarPolicy } from './documents.ts'
import type { TypeAndId } from './engine.ts'

/** A pattern of `like`: characters, and null for its wildcard. */
export type LikePattern = (string | null)[]

/** Everything that policies compare a request with: which values of it can make a difference. */
export interface Atoms {
  /** Constants that the path is compared with. */
  paths: Set<string>
  /** All other texts. */
  strings: Set<string>
  numbers: Set<number>
  /** Patterns of the path, by their text. */
  likes: Map<string, LikePattern>
  uids: Map<string, TypeAndId>
  /** The end user is looked at. */
  user: boolean
  /** Values that claims of the end user's token are compared with, where that is known. */
  claims: Map<string, Set<string>>
  /** The path is used otherwise than in `like` and in comparisons with a constant. */
  pathOpen: boolean
  /** Something else than the path is matched by a pattern, or numbers are reckoned with. */
  otherOpen: boolean
}

/** Reads what policies compare from Cedar's own JSON of them. */
export function atomsOf(policies: readonly CedarPolicy[]): Atoms {
  const atoms: Atoms = {
    paths: new Set(),
    strings: new Set(),
    numbers: new Set(),
    likes: new Map(),
    uids: new Map(),
    user: false,
    claims: new Map(),
    pathOpen: false,
    otherOpen: false,
  }
  for (const { json } of policies) {
    const { principal, action, resource, conditions } = json
    collect([principal, action, resource, conditions], atoms)
  }
  return atoms
}

function collect(node: unknown, atoms: Atoms): void {
  if (typeof node === 'string') atoms.strings.add(node)
  if (typeof node === 'number') atoms.numbers.add(node)
  if (Array.isArray(node)) for (const item of node) collect(item, atoms)
  if (!isRecord(node)) return
  const { type, id } = node
  if (typeof type === 'string' && typeof id === 'string') atoms.uids.set(JSON.stringify([type, id]), { type, id })
  for (const [operator, body] of Object.entries(node)) {
    if (!isPathTest(operator, body, atoms)) collect(body, atoms)
  }
}

/** Takes what the path is tested with; what else an operator holds is left to be collected. */
function isPathTest(operator: string, body: unknown, atoms: Atoms): boolean {
  const { left, right, pattern, attr } = isRecord(body) ? body : {}
  const [path, other] = isPath(left) ? [left, right] : [right, left]
  if (isUserTest(operator, left, right)) {
    atoms.user = true
    return true
  }
  if (operator === 'like' && isPath(left)) {
    addLike(pattern, atoms)
    return true
  }
  if (['==', '!=', 'contains'].includes(operator) && isPath(path) && isConstant(other)) {
    addPaths(other, atoms)
    return true
  }
  if (operator === 'has' && isContext(left)) {
    if (attr === 'user') atoms.user = true
    return true
  }
  if (operator === '.' && isContext(left)) {
    if (attr === 'path') atoms.pathOpen = true
    if (attr === 'user') atoms.user = true
    return true
  }
  // The context as a whole, compared or searched, has the path in it, and the user.
  if (operator === 'Var' && body === 'context') {
    atoms.pathOpen = true
    atoms.user = true
  }
  if (['like', '+', '-', '*', 'neg'].includes(operator)) atoms.otherOpen = true
  return false
}

function addPaths(node: unknown, atoms: Atoms): void {
  if (typeof node === 'string') atoms.paths.add(node)
  else if (Array.isArray(node)) for (const item of node) addPaths(item, atoms)
  else if (isRecord(node)) for (const item of Object.values(node)) addPaths(item, atoms)
}

function addLike(pattern: unknown, atoms: Atoms): void {
  const parts = (Array.isArray(pattern) ? pattern : []).flatMap((part): LikePattern => {
    const { Literal: literal } = isRecord(part) ? part : {}
    return typeof literal === 'string' ? [...literal] : [null]
  })
  atoms.likes.set(JSON.stringify(parts), parts)
}

function isContext(node: unknown): boolean {
  return isRecord(node) && node['Var'] === 'context'
}

function isPath(node: unknown): boolean {
  const access = isRecord(node) ? node['.'] : undefined
  return isRecord(access) && isContext(access['left']) && access['attr'] === 'path'
}

// What a user is compared with is no text of the request.
function isUserTest(operator: string, left: unknown, right: unknown): boolean {
  const test = ['==', '!=', 'contains', 'containsAny', 'containsAll'].includes(operator)
  return test && ((isOfUser(left) && isConstant(right)) || (isConstant(left) && isOfUser(right)))
}

/** `context.user.issuer`. */
function isOfUser(node: unknown): boolean {
  const access = isRecord(node) ? node['.'] : undefined
  const user = isRecord(access) && isRecord(access['left']) ? access['left']['.'] : undefined
  return isRecord(user) && isContext(user['left']) && user['attr'] === 'user'
}

function isConstant(node: unknown): boolean {
  if (!isRecord(node)) return false
  const { Value: value, Set: members } = node
  if (Array.isArray(members)) return members.every(isConstant)
  return typeof value === 'string' || (Array.isArray(value) && value.every((item) => typeof item === 'string'))
}
