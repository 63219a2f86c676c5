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
  if (operator === 'like' && isPath(left)) {
    addLike(pattern, atoms)
    return true
  }
  if (['==', '!=', 'contains'].includes(operator) && isPath(path) && isConstant(other)) {
    addPaths(other, atoms)
    return true
  }
  if (operator === 'has' && isContext(left)) return true
  if (operator === '.' && isContext(left)) {
    if (attr === 'path') atoms.pathOpen = true
    return true
  }
  // The context as a whole, compared or searched, has the path in it.
  if (operator === 'Var' && body === 'context') atoms.pathOpen = true
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

function isConstant(node: unknown): boolean {
  if (!isRecord(node)) return false
  const { Value: value, Set: members } = node
  if (Array.isArray(members)) return members.every(isConstant)
  return typeof value === 'string' || (Array.isArray(value) && value.every((item) => typeof item === 'string'))
}
