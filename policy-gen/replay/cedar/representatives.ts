import { pathInstance } from '../../path-instance.ts'
import { exactPath, type KnownPath } from '../paths.ts'
import type { ReplayRequest } from '../request.ts'
import { isAny } from '../users.ts'
import type { Atoms } from './atoms.ts'
import { IDENTITY } from './documents.ts'
import { isLike } from './like.ts'

/** What is passed as a request's context; null stands for a value that is not known. */
export interface CedarContext {
  port: number
  method?: string
  path?: string | null
  /** Absent without a token. */
  user?: ContextUser
}

/** An end user, as far as is known: null is not known. */
export interface ContextUser {
  issuer: string | null
  acr: string | null
  groups: string[] | null
  /** There are other groups, too. */
  more: boolean
}

const SOMEBODY: ContextUser = { issuer: null, acr: null, groups: null, more: false }

/** More would take too long for one operation, and all of them seldom agree. */
const REPRESENTATIVES_MAX = 256
const SEEDS_MAX = 50
const PORT_MAX = 65_535

/**
 * The requests that stand for all that an operation can have been, as far as the policies tell requests apart: where
 * something is not known, each value that they compare with, and one that none of them names.
 *
 * @returns or a text that says what cannot be enumerated
 */
export function contextsOf(request: ReplayRequest, atoms: Atoms): CedarContext[] | string {
  const ports = request.port === 0 ? portsOf(atoms) : [request.port]
  const methods = methodsOf(request, atoms)
  if (ports === null) return "the workload's port"
  if (methods === null) return 'the method'
  const paths = request.path.known ? pathsOf(request.path, atoms) : [null]
  if (paths === null) return 'the path'
  const http = methods.flatMap((method) => paths.map((path) => ({ method, path })))
  const users = usersOf(request, atoms)
  const asked = http.flatMap((shape) => users.map((user) => (user ? { ...shape, user } : shape)))
  const shapes = [...(request.http === 'no' ? [] : asked), ...(request.http === 'yes' ? [] : [{}])]
  if (shapes.length * ports.length > REPRESENTATIVES_MAX) return 'the method, the port, the path or the end user'
  return ports.flatMap((port) => shapes.map((shape) => ({ port, ...shape })))
}

/** Everybody for whom the requests were made, null for nobody; only nobody where nothing looks at users. */
function usersOf({ users }: ReplayRequest, atoms: Atoms): (ContextUser | null)[] {
  if (!atoms.user) return [null]
  if (!users) return [null, SOMEBODY]
  const { without, untold, seen } = users
  const known = seen.map(({ issuer, acr, groups, moreGroups }) => ({ issuer, acr, groups, more: moreGroups }))
  const others = isAny(untold) ? [null, SOMEBODY] : isAny(without) ? [null] : []
  const distinct = new Map([...known, ...others].map((user) => [JSON.stringify(user), user]))
  return [...distinct.values()]
}

/** Ids of the callers that a request can have come from. */
export function callersOf({ caller }: ReplayRequest, atoms: Atoms): string[] | string {
  if (caller.is === 'known') return [caller.principal]
  if (caller.is === 'none') return ['']
  const named = [...atoms.uids.values()].filter(({ type }) => type === IDENTITY).map(({ id }) => id)
  const all = [...new Set([...named, '', unnamed('stranger', new Set(named))])]
  return all.length > REPRESENTATIVES_MAX ? "the caller's principal" : all
}

// Between two numbers that policies name, every port is compared alike.
function portsOf({ numbers, otherOpen }: Atoms): number[] | null {
  if (otherOpen) return null
  const near = [...numbers].flatMap((number) => [number - 1, number, number + 1])
  return [...new Set([1, ...near, PORT_MAX])].filter((port) => port > 0 && port <= PORT_MAX)
}

function methodsOf({ method, http }: ReplayRequest, { strings, otherOpen }: Atoms): string[] | null {
  if (method !== '') return [method]
  if (http === 'no') return []
  return otherOpen ? null : [...strings, unnamed('METHOD', strings)]
}

function pathsOf(path: KnownPath, { paths, likes, pathOpen }: Atoms): string[] | null {
  if (path.literal) return [path.text]
  if (pathOpen || [...likes.values()].some((pattern) => isLike(path, pattern) === 'unknown')) return null
  const named = [...paths].filter((text) => exactPath(text)(path) !== 'no')
  // Of what may be of any depth, two are asked: policies that count segments tell them apart.
  const depths = path.segments.at(-1)?.kind === 'tail' ? [1, 2] : [1]
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    const instances = depths.map((depth) => pathInstance(path, seed, depth)).filter((text) => text !== null)
    if (instances.length < depths.length) return null
    if (!instances.some((text) => paths.has(text))) return [...instances, ...named]
  }
  return null
}

function unnamed(name: string, named: ReadonlySet<string>): string {
  return named.has(name) ? unnamed(`${name}X`, named) : name
}
