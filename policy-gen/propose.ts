import { type Declaration, type Declared, NOTHING_DECLARED } from '../services/model/declaration.ts'
import { EVIDENCE, type Evidence, isEvidence } from '../services/model/evidence.ts'
import type { Inventory } from '../services/model/inventory.ts'
import { joinMarks } from '../services/model/marks.ts'
import type { ObservedOperation } from '../services/model/operation.ts'
import type { Callee, Granularity, Permission } from '../services/model/permission.ts'
import { GRANULARITIES, isGranularity } from '../services/model/permission.ts'
import { joinUsers, NO_COUNTS, type OperationUsers } from '../services/model/users.ts'
import { type CalleeOf, calleesOf } from './callees.ts'
import { callerOf, type WorkloadOf, workloadsBehind } from './callers.ts'
import { conditionsOf, isMachines, USERS_MIN, USERS_MIN_MAX } from './conditions.ts'
import { declaredBy, granularityOf, operationOf, UNSEEN } from './declared/operations.ts'
import { PolicyError } from './errors.ts'
import { type GuardCode, type GuardOptions, guardOf, teachesBy } from './guard.ts'
import { type InventoryIndex, indexInventory } from './inventory-index.ts'
import { addObservation, firstEvidence, userEvidence } from './merge.ts'
import { type NamingRule, namingRule } from './naming.ts'
import { type ReplicasOf, replicasOf } from './replicas.ts'
import { scopeOf } from './scope.ts'

export interface ProposeOptions extends GuardOptions {
  /** Default `path`. */
  granularity?: Granularity
  /** Callers whose identity is known less well earn no permission. Default `joined`. */
  minimumEvidence?: Evidence
  /** Names callers without a principal: `cluster.local/ns/{namespace}/sa/{workload}`. */
  principalRule?: string
  /** Labels of callees that no inventory knows: `app={workload}`. */
  selectorRule?: string
  /** Operations that only ever carried users get conditions on their tokens. Default false. */
  userConditions?: boolean
  /** What owners declared: granted beside what was observed, until it expires. */
  declared?: Declared
  /** Namespaces in Istio's ambient mode, `*` for all; a workload's own label goes before. Default none. */
  ambient?: readonly string[]
  /** Distinct users that a condition stands on at least. Default `USERS_MIN`. */
  usersMin?: number
}

/** Why observations earned no permission. Refused ones, and those that were answered that there is nothing, teach nothing. */
export type SkipCode = 'denied' | 'not_found' | 'evidence' | 'principal' | 'callee' | 'declared' | GuardCode

export interface Skipped {
  code: SkipCode
  reason: string
  caller: string
  callee: string
  operations: number
  requests: number
  denied: number
}

/** The naming rules that were used, with what they made up. A rule that was given and not needed is not listed. */
export interface Assumed {
  principal?: string
  selector?: string
  /** Namespaces that were said to be in ambient mode. */
  ambient?: string[]
  principals: string[]
  callees: string[]
}

export interface Proposal {
  permissions: Permission[]
  skipped: Skipped[]
  assumed: Assumed
  /** Declarations that are not granted any more. */
  expired: Declaration[]
}

/**
 * Proposes the least set of permissions under which every observed request of a known caller is served.
 *
 * @throws PolicyError `bad_option`
 */
export function propose(
  operations: readonly ObservedOperation[],
  inventory: Inventory,
  options: ProposeOptions = {},
): Proposal {
  const settings = readOptions(options)
  const index = indexInventory(inventory)
  const { active, expired } = options.declared ?? NOTHING_DECLARED
  const declarations = active.map((declaration) => ({ declaration, operation: operationOf(declaration) }))
  const asked =
    declarations.length > 0 ? [...operations, ...declarations.map(({ operation }) => operation)] : operations
  const calleeOf = calleesOf(asked, index, settings, teachesBy(options))
  const workloadOf = workloadsBehind(index, settings.ambient)
  const permissions = new Map<string, Permission>()
  const skipped = new Map<string, Skipped>()
  const users = new Map<string, OperationUsers | undefined>()
  const marks = new Map<string, string>()
  const missing: { operation: ObservedOperation; key: string }[] = []
  for (const operation of operations) {
    const result = permit(operation, settings, index, calleeOf, workloadOf)
    if ('code' in result) skip(skipped, operation, result.code, result.reason)
    else if (operation.requests <= (operation.notFound ?? 0)) missing.push({ operation, key: permissionKey(result) })
    else {
      const key = permissionKey(result)
      const known = permissions.get(key)
      if (known) {
        addObservation(known, operation, workloadOf(operation))
        if (result.caller.basis === 'assumed') known.caller.basis = 'assumed'
      } else permissions.set(key, result)
      const others = known ? users.get(key) : NOBODY
      users.set(key, others && operation.users && joinUsers(others, operation.users))
      marks.set(key, joinMarks(marks.get(key) ?? '', operation.replicas ?? ''))
    }
  }
  // What others of the same permission were served needs none of its own.
  for (const { operation, key } of missing) if (!permissions.has(key)) skip(skipped, operation, 'not_found', NOT_FOUND)
  addReplicas(permissions, marks, replicasOf(operations, inventory, index))
  guarded(permissions, skipped, operations, options)
  for (const { declaration, operation } of declarations) {
    const own = { ...settings, granularity: granularityOf(declaration) }
    const result = permit(operation, own, index, calleeOf, workloadOf)
    if ('code' in result)
      skip(skipped, { ...operation, requests: 0 }, 'declared', `${declaration.id}: ${result.reason}`)
    else addDeclared(permissions, result, declaration)
  }
  for (const [key, permission] of permissions) addUsers(permission, users.get(key), settings)
  const sorted = [...permissions.entries()].sort(byText).map(([, permission]) => permission)
  return {
    permissions: sorted,
    skipped: [...skipped.entries()].sort(byText).map(([, entry]) => entry),
    assumed: assumptions(sorted, options),
    expired: [...expired],
  }
}

/** Takes out what has not earned its permission. */
function guarded(
  permissions: Map<string, Permission>,
  skipped: Map<string, Skipped>,
  operations: readonly ObservedOperation[],
  options: GuardOptions,
): void {
  const guard = guardOf(operations, options)
  for (const [key, permission] of [...permissions]) {
    const refused = guard(permission)
    if (!refused) continue
    permissions.delete(key)
    const { caller, callee, evidence } = permission
    const names = { caller: caller.principal, callee: `${callee.namespace}/${callee.workload}` }
    addSkipped(skipped, { ...refused, ...names, operations: 1, requests: evidence.requests, denied: 0 })
  }
}

/** What its owner left open is meant, so nothing of it is a widening. */
function addDeclared(permissions: Map<string, Permission>, permission: Permission, declaration: Declaration): void {
  const unseen: Permission = { ...permission, widened: [], evidence: UNSEEN }
  const { caller } = unseen
  const key = permissionKey(unseen)
  const known = permissions.get(key) ?? { ...unseen, caller: { ...caller, workloads: [] } }
  permissions.set(key, { ...known, declared: [...(known.declared ?? []), declaredBy(declaration)] })
}

const NOT_FOUND =
  'every request was answered that there is no such operation (404, 405, gRPC UNIMPLEMENTED); errors teach nothing'

const NOBODY: OperationUsers = { without: NO_COUNTS, untold: NO_COUNTS, seen: [] }

function addReplicas(permissions: Map<string, Permission>, marks: Map<string, string>, replicas: ReplicasOf): void {
  for (const [key, { caller, evidence }] of permissions) {
    const when = { firstSeen: evidence.first_seen, lastSeen: evidence.last_seen }
    const found = replicas({ ...caller, ...when, marks: marks.get(key) ?? '' })
    if (found) evidence.replicas = found
  }
}

function addUsers(permission: Permission, users: OperationUsers | undefined, settings: Settings): void {
  if (users) permission.evidence.users = userEvidence(users)
  if (!settings.userConditions) return
  if (permission.declared) {
    permission.unconditional = 'its owner declared it, whoever the user is'
    return
  }
  Object.assign(permission, conditionsOf(users, settings.usersMin))
  if (isMachines(users)) permission.questions = ['machine_to_machine']
}

interface Settings {
  granularity: Granularity
  evidence: Evidence
  principal: NamingRule | null
  selector: NamingRule | null
  ambient: readonly string[]
  userConditions: boolean
  usersMin: number
}

function readOptions(options: ProposeOptions): Settings {
  const { granularity = 'path', minimumEvidence = 'joined', principalRule, selectorRule, ambient = [] } = options
  const { userConditions = false, usersMin = USERS_MIN } = options
  if (!isGranularity(granularity)) {
    throw new PolicyError('bad_option', `granularity is one of ${GRANULARITIES.join(', ')}, not ${String(granularity)}`)
  }
  if (!isEvidence(minimumEvidence) || minimumEvidence === 'none') {
    const names = Object.keys(EVIDENCE).filter((name) => name !== 'none')
    throw new PolicyError('bad_option', `evidence is one of ${names.join(', ')}, not ${String(minimumEvidence)}`)
  }
  const stray = ambient.find((name) => name !== '*' && !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name))
  if (stray !== undefined)
    throw new PolicyError('bad_option', `--ambient has ${JSON.stringify(stray)}, which is no name of a namespace`)
  if (!Number.isSafeInteger(usersMin) || usersMin < 1 || usersMin > USERS_MIN_MAX) {
    throw new PolicyError(
      'bad_option',
      `users-min is a whole number from 1 to ${USERS_MIN_MAX}, not ${String(usersMin)}`,
    )
  }
  return {
    userConditions,
    usersMin,
    granularity,
    ambient,
    evidence: minimumEvidence,
    principal: principalRule === undefined ? null : namingRule(principalRule, '--principal'),
    selector: selectorRule === undefined ? null : namingRule(selectorRule, '--selector'),
  }
}

function permit(
  operation: ObservedOperation,
  settings: Settings,
  index: InventoryIndex,
  calleeOf: CalleeOf,
  workloadOf: WorkloadOf,
): Permission | { code: SkipCode; reason: string } {
  if (operation.requests === 0) return { code: 'denied', reason: 'only denied requests were seen; they teach nothing' }
  const callee = calleeOf(operation)
  if (!callee.ok) return { code: 'callee', reason: callee.reason }
  const caller = callerOf(operation, settings.evidence, settings.principal, index)
  if (!caller.ok) return caller
  return {
    effect: 'allow',
    callee: callee.callee,
    caller: { principal: caller.principal, basis: caller.basis, workloads: [workloadOf(operation)] },
    ...scopeOf(operation, settings.granularity, index.workloadPort(operation)),
    conditions: [],
    evidence: firstEvidence(operation),
  }
}

function permissionKey({ callee, caller, port, operation, widened, granularity }: Permission): string {
  // Paths of different kinds can share one text: a route `/a/{int}` is not the typed template `/a/{int}`.
  const kind = operation.flags.filter((flag) => flag === 'route' || flag === 'braces')
  const scope = [port, operation.method, operation.path, kind, granularity, widened]
  return JSON.stringify([...calleeKey(callee), caller.principal, ...scope])
}

function calleeKey(callee: Callee): unknown[] {
  return [callee.cluster, callee.namespace, callee.workload, callee.selector]
}

function skip(skipped: Map<string, Skipped>, operation: ObservedOperation, code: SkipCode, reason: string): void {
  const caller = operation.source.principal || operation.source.id
  const { requests, denied, destination } = operation
  addSkipped(skipped, { code, reason, caller, callee: destination.id, operations: 1, requests, denied })
}

function addSkipped(skipped: Map<string, Skipped>, { operations, requests, denied, ...one }: Skipped): void {
  const key = JSON.stringify([one.callee, one.caller, one.code, one.reason])
  const entry = skipped.get(key) ?? { ...one, operations: 0, requests: 0, denied: 0 }
  entry.operations += operations
  entry.requests += requests
  entry.denied += denied
  skipped.set(key, entry)
}

function assumptions(permissions: Permission[], options: ProposeOptions): Assumed {
  const callers = permissions.filter(({ caller }) => caller.basis === 'assumed')
  const callees = permissions.filter(({ callee }) => callee.selectorBasis === 'assumed')
  const principals = [...new Set(callers.map(({ caller }) => caller.principal))].sort()
  const names = [...new Set(callees.map(({ callee }) => `${callee.namespace}/${callee.workload}`))].sort()
  return {
    ...(principals.length > 0 && options.principalRule !== undefined ? { principal: options.principalRule } : {}),
    ...(names.length > 0 && options.selectorRule !== undefined ? { selector: options.selectorRule } : {}),
    ...(options.ambient && options.ambient.length > 0 ? { ambient: [...options.ambient] } : {}),
    principals,
    callees: names,
  }
}

function byText([left]: [string, unknown], [right]: [string, unknown]): number {
  return left < right ? -1 : left > right ? 1 : 0
}
