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

function ask(slice: Slice, caller: string, callee: string, asked: CedarContext): Verdict {
  const { entities } = slice
  const scope = {
    principal: { type: IDENTITY, id: caller.toWellFormed() },
    action: REQUEST,
    resource: { type: CALLEE, id: callee },
    entities,
    context: cedarContext(asked),
  }
  if (!isKnown(asked)) return askPartially(slice, scope, asked)
  const answer = cedarEngine().statefulIsAuthorized({ ...scope, preparsedPolicySetId: PARSED })
  if (answer.type === 'failure') throw new PolicyError('bad_policy', messagesOf(answer.errors))
  const { decision, diagnostics } = answer.response
  return verdictOf(fromBoolean(decision === 'allow'), diagnostics.reason, slice)
}

// What does not depend on what is not known is decided.
function askPartially(
  slice: Slice,
  scope: Omit<Parameters<ReturnType<typeof cedarEngine>['isAuthorizedPartial']>[0], 'policies'>,
  { path }: CedarContext,
): Verdict {
  const policies = { staticPolicies: byId(slice.policies) }
  const answer = cedarEngine().isAuthorizedPartial({ ...scope, policies })
  if (answer.type === 'failure') throw new PolicyError('bad_policy', messagesOf(answer.errors))
  const { decision, satisfied } = answer.response
  if (decision === null) return unknown(path === null ? 'the path' : USER)
  return verdictOf(fromBoolean(decision === 'allow'), satisfied, slice)
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
