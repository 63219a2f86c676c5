import { PolicyError } from '../../errors.ts'
import type { Verdict } from '../layer.ts'
import type { ReplayRequest } from '../request.ts'
import { fromBoolean, type Tri } from '../tri.ts'
import type { Atoms } from './atoms.ts'
import { byId, CALLEE, type CedarPolicy, IDENTITY, REQUEST } from './documents.ts'
import { cedarEngine, type EntityJson, messagesOf } from './engine.ts'
import { type CedarContext, callersOf, contextsOf } from './representatives.ts'

/** The policies that can have a say at a callee, with what they compare. */
export interface Slice {
  policies: CedarPolicy[]
  atoms: Atoms
  entities: EntityJson[]
}

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
function wellFormed({ method, path, port }: CedarContext): CedarContext {
  return {
    port,
    ...(method === undefined ? {} : { method: method.toWellFormed() }),
    ...(path === undefined ? {} : { path: path?.toWellFormed() ?? null }),
  }
}

function ask(slice: Slice, caller: string, callee: string, asked: CedarContext): Verdict {
  const { entities } = slice
  const { path, ...rest } = wellFormed(asked)
  const scope = {
    principal: { type: IDENTITY, id: caller.toWellFormed() },
    action: REQUEST,
    resource: { type: CALLEE, id: callee },
    entities,
  }
  if (path === null) return askWithoutPath(slice, scope, rest)
  const context = { ...rest, ...(path === undefined ? {} : { path }) }
  const answer = cedarEngine().statefulIsAuthorized({ ...scope, context, preparsedPolicySetId: PARSED })
  if (answer.type === 'failure') throw new PolicyError('bad_policy', messagesOf(answer.errors))
  const { decision, diagnostics } = answer.response
  return verdictOf(fromBoolean(decision === 'allow'), diagnostics.reason, slice)
}

// Partial evaluation: a path that is there and not known. What does not depend on it is decided.
function askWithoutPath(
  slice: Slice,
  scope: Omit<Parameters<ReturnType<typeof cedarEngine>['isAuthorizedPartial']>[0], 'context' | 'policies'>,
  rest: Omit<CedarContext, 'path'>,
): Verdict {
  const context = { ...rest, path: { __extn: { fn: 'unknown', arg: 'path' } } }
  const policies = { staticPolicies: byId(slice.policies) }
  const answer = cedarEngine().isAuthorizedPartial({ ...scope, context, policies })
  if (answer.type === 'failure') throw new PolicyError('bad_policy', messagesOf(answer.errors))
  const { decision, satisfied } = answer.response
  return decision === null ? unknown('the path') : verdictOf(fromBoolean(decision === 'allow'), satisfied, slice)
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

function missing({ caller, port, method, http }: ReplayRequest, callees: readonly string[]): string {
  const names = [
    ...(caller.is === 'unknown' ? ["the caller's principal"] : []),
    ...(callees.length > 1 ? ["the callee's labels"] : []),
    ...(port === 0 ? ["the workload's port"] : []),
    ...(method === '' && http !== 'no' ? ['the method'] : []),
  ]
  return names.join('; ') || "the path's parameters"
}

function unknown(what: string): Verdict {
  return { allowed: 'unknown', reason: `not known: ${what}` }
}
