import { PolicyError } from '../../errors.ts'
import { calleesOf } from '../callees.ts'
import type { Atoms } from '../cedar/atoms.ts'
import { type CedarContext, type ContextUser, callersOf, contextsOf } from '../cedar/representatives.ts'
import { type Asked, atCallees, type Format, type Verdict } from '../layer.ts'
import { deployedRules } from './deployed.ts'
import { type RegoDocuments, readRego } from './documents.ts'

/** More would take too long for one operation. */
const PATHS_MAX = 256

/** Rego behind Envoy's ext_authz, at the decision `data.envoy.authz.allow`. OPA itself decides, in one run for all requests. */
export const opaRego: Format = {
  id: 'opa-rego',
  read(set, context) {
    const documents = readRego(set.texts)
    if (!documents) return null
    const { rego } = context
    if (!rego) {
      const how =
        'Rego is decided by OPA itself: put the program `opa` (1.0 or later) on the PATH, or set CINCH_OPA to it'
      throw new PolicyError('bad_policy', how, documents.files[0]?.path)
    }
    const callees = calleesOf(documents.callees, context)
    const layer = (asked: readonly Asked[]): Verdict[] => {
      const questions = asked.map((one) => questionsOf(one, callees(one.operation.destination), documents))
      const answers = rego(
        documents.files,
        questions.flatMap((list) => (typeof list === 'string' ? [] : list)),
      )
      let at = 0
      return questions.map((list) => {
        if (typeof list === 'string') return { allowed: 'unknown', reason: `not known: ${list}` }
        const said = answers.slice(at, at + list.length)
        at += list.length
        return verdictOf(said)
      })
    }
    return { layer: atCallees(layer), ignored: [] }
  },
  deployed(set, context) {
    const documents = readRego(set.texts)
    return documents && deployedRules(documents, calleesOf(documents.callees, context))
  },
}

function verdictOf(said: readonly boolean[]): Verdict {
  if (said.length > 0 && said.every((allowed) => allowed)) return { allowed: 'yes', reason: 'allowed by Rego' }
  if (said.length > 0 && said.every((allowed) => !allowed)) return { allowed: 'no', reason: 'not allowed by Rego' }
  return {
    allowed: 'unknown',
    reason: "not known: the callee's labels, the caller, the port, the method, the path or the end user",
  }
}

/** Inputs that stand for all that an operation can have been, or what cannot be enumerated. */
function questionsOf({ request }: Asked, callees: readonly string[], documents: RegoDocuments): unknown[] | string {
  if (documents.untold !== null) return documents.untold
  const { caller } = request
  const named = caller.is === 'unknown' ? null : caller.is === 'known' ? caller.principal : ''
  const found: unknown[] = []
  for (const callee of callees) {
    const atoms = documents.atomsOf(callee, named)
    const contexts = atoms ? contextsOf(request, atoms) : exact(request)
    const callers = atoms ? callersOf(request, atoms) : named === null ? "the caller's principal" : [named]
    if (typeof contexts === 'string') return contexts
    if (typeof callers === 'string') return callers
    const paths = contexts.some(({ path }) => path === null) && atoms ? allPaths(atoms) : []
    if (paths.length > PATHS_MAX) return 'the path'
    const complete = contexts.flatMap((context) =>
      context.path === null ? paths.map((path) => ({ ...context, path })) : [context],
    )
    const tokens = (user: ContextUser | undefined) => (user && atoms ? tokensOf(user, atoms) : [null])
    for (const id of callers) {
      for (const context of complete)
        found.push(...tokens(context.user).map((token) => inputOf(id, callee, context, token)))
    }
  }
  return found
}

/** Where no path is known: each that the grants name, one of each template, and one that is deeper than all of them. */
function allPaths({ paths, likes }: Atoms): string[] {
  const named = [...paths, ...[...likes.keys()].map((template) => template.replaceAll(/\{\*\*?\}/g, 'unnamed-value'))]
  const depth = Math.max(0, ...named.map((path) => path.split('/').length))
  return [...named, '/unnamed'.repeat(depth + 1)]
}

// What Rego that people wrote compares is not known: only a request of which everything is known is asked.
function exact({ port, method, path, http }: Asked['request']): CedarContext[] | string {
  if (port === 0) return "the workload's port"
  if (http === 'no') return [{ port }]
  if (method === '') return 'the method'
  return path.known && path.literal ? [{ port, method, path: path.text }] : 'the path'
}

/** The input of OPA's Envoy plugin: ext_authz's CheckRequest, as far as a request tells it. */
function inputOf(principal: string, callee: string, { port, method, path }: CedarContext, token: Token | null) {
  return {
    attributes: {
      source: principal === '' ? {} : { principal: `spiffe://${principal}` },
      destination: { address: { socketAddress: { portValue: port } } },
      request: method === undefined ? {} : { http: { method, path } },
      contextExtensions: { 'cinch.callee': callee },
      ...(token ? { metadataContext: { filterMetadata: { [TOKENS]: { payload: token } } } } : {}),
    },
  }
}

const TOKENS = 'envoy.filters.http.jwt_authn'
/** The claims of a token. */
type Token = Record<string, string | string[]>

/**
 * The claims that a user has for sure, and all that they may have. The policy asks for claims and never for their absence, so what
 * both get the same answer to, does not depend on what lies between.
 */
function tokensOf({ issuer, acr, groups, more }: ContextUser, { claims }: Atoms): Token[] {
  const least: Token = {
    ...(issuer === null ? {} : { iss: issuer }),
    ...(acr === null ? {} : { acr }),
    ...(groups === null ? {} : { groups }),
  }
  const open = [...claims].filter(([name]) => !Object.hasOwn(least, name) || (name === 'groups' && more))
  if (open.length === 0) return [least]
  const most = open.map(([name, values]) => [name, [...(name === 'groups' ? (groups ?? []) : []), ...values]])
  return [least, { ...least, ...Object.fromEntries(most) }]
}
