import { fail, field, optionalList, optionalRecord, type Reader, requiredString, strings } from '../fields.ts'
import type { DocumentHead } from './documents.ts'
import { readSelector } from './read-selector.ts'
import { type PolicyTarget, readTargets } from './read-targets.ts'
import { checkCondition, checkPath, checkPort, checkServiceAccount } from './validate.ts'

export type Action = 'ALLOW' | 'DENY' | 'CUSTOM' | 'AUDIT'

/** Names of a source's and an operation's lists; each has a counterpart with `not`. */
export const SOURCE_FIELDS = [
  'principals',
  'requestPrincipals',
  'namespaces',
  'serviceAccounts',
  'ipBlocks',
  'remoteIpBlocks',
  'trustDomains',
] as const
export const OPERATION_FIELDS = ['hosts', 'ports', 'methods', 'paths'] as const
export type SourceField = (typeof SOURCE_FIELDS)[number]
export type OperationField = (typeof OPERATION_FIELDS)[number]

export interface Match<Field> {
  field: Field
  values: string[]
  notValues: string[]
}

export interface ConditionMatch {
  key: string
  values: string[]
  notValues: string[]
}

/** Any of `from` and any of `to` and all of `when`; an empty list holds for every request. */
export interface PolicyRule {
  from: Match<SourceField>[][]
  to: Match<OperationField>[][]
  when: ConditionMatch[]
}

/** AuthorizationPolicy, security.istio.io/v1. */
export interface AuthorizationPolicy extends DocumentHead {
  action: Action
  selector: Record<string, string> | undefined
  /** What it is bound to instead of workloads; empty for none. */
  targets: PolicyTarget[]
  rules: PolicyRule[]
}

const ITEMS_MAX = 512
const ACTIONS: readonly Action[] = ['ALLOW', 'DENY', 'CUSTOM', 'AUDIT']

/** @throws PolicyError `bad_policy` where Istio's validation would refuse the policy, or drop a part of it */
export function readAuthorizationPolicy(
  head: DocumentHead,
  spec: Record<string, unknown>,
  reader: Reader,
): AuthorizationPolicy {
  optionalRecord(spec, field(reader, 'spec'), ['selector', 'targetRef', 'targetRefs', 'action', 'rules', 'provider'])
  const { selector: labels, action: written = 'ALLOW', rules: items, provider } = spec
  const action = ACTIONS.find((candidate) => candidate === written)
  if (!action) fail(field(reader, 'action'), `is unknown; valid: ${ACTIONS.join(', ')}`)
  const targets = readTargets(spec, reader)
  const selector = readSelector(labels, reader)
  if (targets.length > 0 && selector) fail(reader, 'has both a selector and targetRefs; only one is taken')
  if ((action === 'CUSTOM') !== (provider !== undefined)) {
    fail(field(reader, 'provider'), 'belongs to action CUSTOM, and only there')
  }
  const list = optionalList(items, field(reader, 'rules'), ITEMS_MAX) ?? []
  if (list.length === 0 && (action === 'DENY' || action === 'CUSTOM')) {
    fail(field(reader, 'rules'), `must not be empty with action ${action}`)
  }
  const rules = list.map((rule, index) => readRule(rule, field(reader, `rules[${index}]`)))
  return { ...head, action, selector, targets, rules }
}

function readRule(value: unknown, reader: Reader): PolicyRule {
  const rule = optionalRecord(value ?? undefined, reader, ['from', 'to', 'when'])
  if (!rule) fail(reader, 'is empty; write {} for a rule that holds for every request')
  const { from, to, when } = rule
  const conditions = optionalList(when, field(reader, 'when'), Number.POSITIVE_INFINITY) ?? []
  return {
    from: entries(from, field(reader, 'from'), 'source', (item, at) => readLists(item, SOURCES, at)),
    to: entries(to, field(reader, 'to'), 'operation', (item, at) => readLists(item, OPERATIONS, at)),
    when: conditions.map((item, index) => readCondition(item, field(reader, `when[${index}]`))),
  }
}

function entries<T>(value: unknown, reader: Reader, name: string, read: (item: unknown, at: Reader) => T): T[] {
  const list = optionalList(value, reader, ITEMS_MAX)
  if (list?.length === 0) fail(reader, 'must not be empty; leave it out')
  return (list ?? []).map((item, index) => {
    const at = field(reader, `[${index}]`)
    const entry = optionalRecord(item, at, [name])
    if (entry?.[name] === undefined || entry[name] === null) fail(at, `has no ${name}`)
    return read(entry[name], field(at, name))
  })
}

interface Lists<Field> {
  names: readonly { name: Field; not: string }[]
  known: readonly string[]
}

function listsOf<Field extends string>(fields: readonly Field[]): Lists<Field> {
  const names = fields.map((name) => ({ name, not: negated(name) }))
  return { names, known: names.flatMap(({ name, not }) => [name, not]) }
}

// Made once: a callee with hundreds of callers has as many rules.
const SOURCES = listsOf(SOURCE_FIELDS)
const OPERATIONS = listsOf(OPERATION_FIELDS)

function readLists<Field extends string>(value: unknown, lists: Lists<Field>, reader: Reader): Match<Field>[] {
  const record = optionalRecord(value, reader, lists.known) ?? {}
  const present = lists.names.filter(({ name, not }) => record[name] !== undefined || record[not] !== undefined)
  const matches = present.map(({ name, not }) => ({
    field: name,
    values: strings(record[name], field(reader, name)),
    notValues: strings(record[not], field(reader, not)),
  }))
  const used = matches.filter(({ values, notValues }) => values.length + notValues.length > 0)
  if (used.length === 0) fail(reader, 'must have at least one list that is not empty')
  for (const { field: name, values, notValues } of used) {
    for (const text of [...values, ...notValues]) {
      if (name === 'paths') checkPath(text, field(reader, name))
      if (name === 'ports') checkPort(text, field(reader, name))
      if (name === 'serviceAccounts') checkServiceAccount(text, field(reader, name))
    }
  }
  const names = used.map((match): string => match.field)
  if (names.includes('serviceAccounts') && (names.includes('principals') || names.includes('namespaces'))) {
    fail(reader, 'cannot have serviceAccounts together with principals or namespaces')
  }
  return used
}

function readCondition(value: unknown, reader: Reader): ConditionMatch {
  const record: { key?: unknown; values?: unknown; notValues?: unknown } | undefined = optionalRecord(
    value ?? undefined,
    reader,
    ['key', 'values', 'notValues'],
  )
  if (!record) fail(reader, 'is empty')
  const key = requiredString(record.key, field(reader, 'key'))
  const values = strings(record.values, field(reader, 'values'))
  const notValues = strings(record.notValues, field(reader, 'notValues'))
  if (values.length + notValues.length === 0) fail(reader, 'needs values or notValues')
  checkCondition(key, [...values, ...notValues], reader)
  return { key, values, notValues }
}

function negated(name: string): string {
  return `not${name.charAt(0).toUpperCase()}${name.slice(1)}`
}
