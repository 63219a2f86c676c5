import { PolicyError } from '../../errors.ts'
import type { Verdict } from '../layer.ts'
import type { ReplayRequest } from '../request.ts'
import { fromBoolean, type Tri } from '../tri.ts'
import type { Atoms } from './atoms.ts'
import { byId, CALLEE, type CedarPolicy, IDENTITY, REQUEST } from './documents.ts'
import { type CedarValueJson, cedarEngine, type EntityJson, messagesOf } from './engine.ts'
import { type CedarContext, type ContextUser, callersOf, contextsOf } from './representatives.ts'

/** The policies that can have a say at a callee, with what they compare. */
export interface Slice {
  policies: CedarPolicy[]
  atoms: Atoms
  entities: EntityJson[]
}

const USER = 'the end user'

/** The name under which the engine keeps a parsed slice; one is kept, the last. */
const PARSED = 'cinch-replay'

/** Hands a slice's policies to the engine, for the requests that `decide` is asked about until the next one. */
export function prepare({ policies }: Slice): void {
  const answer = cedarEngine().preparsePolicySet(PARSED, { staticPolicies: byId(policies) })
  if (answer.type === 'failure') throw new PolicyError('bad_policy', messagesOf(answer.errors))
}

/** What the engine says of everything that a request at one of `callees` can have been; `unknown` where answers differ. */
export function decide(slice: Slice, callees: readonly string[], request: ReplayRequest): Verdict {
  const contexts = contextsOf(request, slice.atoms)
  const callers = callersOf(request, slice.atoms)
  if (typeof contexts === 'string') return unknown(contexts)
  if (typeof callers === 'string') return unknown(callers)
  let found: Verdict | null = null
  for (const caller of callers) {
    for (const callee of callees) {
      for (const context of contexts) {
        const verdict = ask(slice, caller, callee, context)
        if (verdict.allowed === 'unknown') return verdict
        if (found !== null && found.allowed !== verdict.allowed) return unknown(missing(request, callees))
        found ??= verdict
      }
    }
  }
  return found ?? unknown('the request')
}

/**
 * The policies of a slice that permit something that the request can have been, or may: what is not known is a use.
 * The slice is the one that was prepared last.
 */
export function permitting(slice: Slice, callees: readonly string[], request: ReplayRequest): string[] {
  const contexts = contextsOf(request, slice.atoms)
  const callers = callersOf(request, slice.atoms)
  if (typeof contexts === 'string' || typeof callers === 'string') return slice.policies.map(({ id }) => id)
  const found = callers.flatMap((caller) =>
    callees.flatMap((callee) =>
      contexts.flatMap((context) => {
        const scope = scopeOf(slice, caller, callee, context)
        if (isKnown(context)) return whole(scope).diagnostics.reason
        const { satisfied, nontrivialResiduals } = partial(slice, scope)
        return [...satisfied, ...nontrivialResiduals]
      }),
    ),
  )
  return [...new Set(found)]
}

// No request has half of a character in it; the engine takes none, and telemetry may.
function cedarContext({ method, path, port, user }: CedarContext): Record<string, CedarValueJson> {
  return {
    port,
    ...(method === undefined ? {} : { method: method.toWellFormed() }),
    ...(path === undefined ? {} : { path: path?.toWellFormed() ?? unknownValue('path') }),
    ...(user === undefined ? {} : { user: cedarUser(user) }),
  }
}

function cedarUser({ issuer, groups, more }: ContextUser): CedarValueJson {
  if (issuer === null) return unknownValue('user')
  const known = groups !== null && !more
  return {
    issuer: issuer.toWellFormed(),
    groups: known ? groups.map((group) => group.toWellFormed()) : unknownValue('groups'),
  }
}

/** Partial evaluation: a value that is there and not known. */
function unknownValue(name: string): CedarValueJson {
  return { __extn: { fn: 'unknown', arg: name } }
}

function isKnown({ path, user }: CedarContext): boolean {
  return path !== null && (user === undefined || (user.issuer !== null && user.groups !== null && !user.more))
}

function ask(slice: Slice, caller: string, callee: string, context: CedarContext): Verdict {
  const scope = scopeOf(slice, caller, callee, context)
  if (isKnown(context)) {
    const { decision, diagnostics } = whole(scope)
    return verdictOf(fromBoolean(decision === 'allow'), diagnostics.reason, slice)
  }
  const { decision, satisfied } = partial(slice, scope)
  if (decision === null) return unknown(context.path === null ? 'the path' : USER)
  return verdictOf(fromBoolean(decision === 'allow'), satisfied, slice)
}

type Scope = Omit<Parameters<ReturnType<typeof cedarEngine>['isAuthorizedPartial']>[0], 'policies'>

function scopeOf({ entities }: Slice, caller: string, callee: string, context: CedarContext) {
  return {
    principal: { type: IDENTITY, id: caller.toWellFormed() },
    action: REQUEST,
    resource: { type: CALLEE, id: callee },
    entities,
    context: cedarContext(context),
  }
}

function whole(scope: ReturnType<typeof scopeOf>) {
  const answer = cedarEngine().statefulIsAuthorized({ ...scope, preparsedPolicySetId: PARSED })
  if (answer.type === 'failure') throw new PolicyError('bad_policy', messagesOf(answer.errors))
  return answer.response
}

// What does not depend on what is not known is decided.
function partial({ policies }: Slice, scope: Scope) {
  const answer = cedarEngine().isAuthorizedPartial({ ...scope, policies: { staticPolicies: byId(policies) } })
  if (answer.type === 'failure') throw new PolicyError('bad_policy', messagesOf(answer.errors))
  return answer.response
}

function verdictOf(allowed: Tri, reasons: readonly string[], slice: Slice): Verdict {
  const names = reasons.map((id) => nameOf(id, slice)).sort()
  if (names.length === 0) return { allowed, reason: 'no Cedar policy permits it' }
  return { allowed, reason: `${allowed === 'yes' ? 'permitted' : 'forbidden'} by ${names.join(', ')}` }
}

function nameOf(id: string, { policies }: Slice): string {
  const annotations = policies.find((policy) => policy.id === id)?.json.annotations ?? {}
  return JSON.stringify(annotations['id'] ?? id)
}

function missing({ caller, port, method, http, users }: ReplayRequest, callees: readonly string[]): string {
  const names = [
    ...(caller.is === 'unknown' ? ["the caller's principal"] : []),
    ...(callees.length > 1 ? ["the callee's labels"] : []),
    ...(port === 0 ? ["the workload's port"] : []),
    ...(method === '' && http !== 'no' ? ['the method'] : []),
  ]
  return names.join('; ') || (users?.seen.length === 1 ? "the path's parameters" : `the path's parameters, or ${USER}`)
}

function unknown(what: string): Verdict {
  return { allowed: 'unknown', reason: `not known: ${what}` }
}
