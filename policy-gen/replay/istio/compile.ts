import type { CallerIdentity, ReplayRequest } from '../request.ts'
import { all, fromBoolean, not, some, type Tri } from '../tri.ts'
import { anyPath } from './paths.ts'
import type {
  Action,
  AuthorizationPolicy,
  ConditionMatch,
  Match,
  OperationField,
  PolicyRule,
  SourceField,
} from './read-authorization.ts'
import {
  anyOf,
  namespaceMatcher,
  principalMatcher,
  type StringMatcher,
  serviceAccountMatcher,
  stringMatcher,
} from './strings.ts'
import { claimTest, requestPrincipalTest } from './users.ts'

/** One list of a policy as a question to a request. `about` says what is missing when the answer is unknown. */
export interface Check {
  about: string
  /** It looks at HTTP: on a plain TCP port Istio drops it (DENY), or the whole rule with it (ALLOW). */
  http: boolean
  test: (request: ReplayRequest) => Tri
}

export interface CompiledRule {
  /** `ns[a]-policy[b]-rule[0]`, as Istio's logs have it. */
  id: string
  from: Check[][]
  to: Check[][]
  when: Check[]
  http: boolean
}

export interface CompiledPolicy {
  id: string
  action: Action
  /** The rules that a caller's identity does not exclude already, in their order. */
  rulesFor: (caller: CallerIdentity) => CompiledRule[]
}

/** Compiles a policy's matchers once; they are then asked for every observed operation. */
export function compilePolicy(policy: AuthorizationPolicy): CompiledPolicy {
  const id = `ns[${policy.namespace}]-policy[${policy.name}]`
  const rules = policy.rules.map((rule, index): CompiledRule => {
    const from = rule.from.map((source) => source.map((match) => sourceCheck(match, policy.namespace)))
    const to = rule.to.map((operation) => operation.map(operationCheck))
    const when = rule.when.map((condition) => conditionCheck(condition, policy.namespace))
    const http = [...from.flat(), ...to.flat(), ...when].some((check) => check.http)
    return { id: `${id}-rule[${index}]`, from, to, when, http }
  })
  return { id, action: policy.action, rulesFor: byCaller(rules, policy.rules.map(exactPrincipals)) }
}

/** The only identities that can match a rule, null where that cannot be listed. */
function exactPrincipals({ from }: PolicyRule): ReadonlySet<string> | null {
  const lists = from.map((source) => source.find(({ field }) => field === 'principals')?.values ?? [])
  const listed =
    lists.length > 0 && lists.every((list) => list.length > 0 && list.every((value) => !value.includes('*')))
  return listed ? new Set(lists.flat()) : null
}

// A callee with hundreds of callers has a rule for each; all but a few are excluded by one look-up.
function byCaller(rules: CompiledRule[], only: (ReadonlySet<string> | null)[]): CompiledPolicy['rulesFor'] {
  const open = rules.filter((_, index) => only[index] === null)
  const known = new Map<string, CompiledRule[]>()
  return (caller) => {
    if (caller.is === 'unknown') return rules
    if (caller.is === 'none') return open
    const found = known.get(caller.principal) ?? rules.filter((_, index) => only[index]?.has(caller.principal) ?? true)
    known.set(caller.principal, found)
    return found
  }
}

type Test = (request: ReplayRequest) => Tri
type Compile = (patterns: string[]) => Test

function sourceCheck(match: Match<SourceField>, policyNamespace: string): Check {
  switch (match.field) {
    case 'principals':
      return check("the caller's principal", match, (patterns) => ofPrincipal(anyOf(patterns, principalMatcher)))
    case 'namespaces':
      return check("the caller's principal", match, (patterns) => ofPrincipal(oneOf(patterns.map(namespaceMatcher))))
    case 'serviceAccounts':
      return check("the caller's principal", match, (patterns) =>
        ofPrincipal(oneOf(patterns.map((pattern) => serviceAccountMatcher(pattern, policyNamespace)))),
      )
    case 'requestPrincipals':
      return check("the end user's token", match, requestPrincipalTest, true)
    case 'ipBlocks':
    case 'remoteIpBlocks':
      return check("the caller's address", match, () => undecided)
    case 'trustDomains':
      return check('the aliases of trust domains', match, () => undecided)
  }
}

function operationCheck(match: Match<OperationField>): Check {
  switch (match.field) {
    case 'methods':
      return check('the method', match, ofMethod, true)
    case 'paths':
      return check('the path', match, ofPath, true)
    case 'ports':
      return check("the workload's port", match, ofPort)
    case 'hosts':
      return check('the authority', match, (patterns) => (patterns.includes('*') ? () => 'yes' : undecided), true)
  }
}

function conditionCheck(condition: ConditionMatch, policyNamespace: string): Check {
  const { values, notValues } = condition
  const as = <F extends SourceField | OperationField>(field: F): Match<F> => ({ field, values, notValues })
  if (condition.key === 'source.principal') return sourceCheck(as('principals'), policyNamespace)
  if (condition.key === 'source.namespace') return sourceCheck(as('namespaces'), policyNamespace)
  if (condition.key === 'source.serviceAccount') return sourceCheck(as('serviceAccounts'), policyNamespace)
  if (condition.key === 'request.auth.principal') return sourceCheck(as('requestPrincipals'), policyNamespace)
  if (condition.key === 'destination.port') return operationCheck(as('ports'))
  const compile = (patterns: string[]): Test => claimTest(condition.key, patterns) ?? undecided
  return check(condition.key, condition, compile, condition.key.startsWith('request.'))
}

function check(
  about: string,
  { values, notValues }: Pick<ConditionMatch, 'values' | 'notValues'>,
  compile: Compile,
  http = false,
): Check {
  const positive = values.length > 0 ? compile(values) : null
  const negative = notValues.length > 0 ? compile(notValues) : null
  const test: Test = (request) => all(positive?.(request) ?? 'yes', negative ? not(negative(request)) : 'yes')
  return { about, http, test }
}

function undecided(): Tri {
  return 'unknown'
}

function oneOf(matchers: StringMatcher[]): StringMatcher {
  return (value) => some(matchers, (matcher) => matcher(value))
}

// Without mutual TLS there is no identity, and nothing about identities holds: not even "*".
function ofPrincipal(matcher: StringMatcher): Test {
  return ({ caller }) => {
    if (caller.is === 'none') return 'no'
    return caller.is === 'unknown' ? 'unknown' : matcher(caller.principal)
  }
}

function ofMethod(patterns: string[]): Test {
  const matcher = anyOf(patterns, stringMatcher)
  const any = patterns.includes('*')
  return ({ method, http }) => (method !== '' ? matcher(method) : any ? http : 'unknown')
}

function ofPath(patterns: string[]): Test {
  const matcher = anyPath(patterns)
  const any = patterns.includes('*')
  return ({ path, http }) => (path.known ? matcher(path) : any ? http : 'unknown')
}

function ofPort(patterns: string[]): Test {
  const ports = new Set(patterns.map(Number))
  return ({ port }) => (port === 0 ? 'unknown' : fromBoolean(ports.has(port)))
}
