import { parseAllDocuments, stringify } from 'yaml'
import type { Pick } from './traffic.ts'

interface Operation {
  ports?: string[]
  methods?: string[]
  paths?: string[]
  notPaths?: string[]
  notMethods?: string[]
}
interface Source {
  principals?: string[]
  notPrincipals?: string[]
  namespaces?: string[]
  serviceAccounts?: string[]
}
interface Rule {
  from?: { source: Source }[]
  to?: { operation: Operation }[]
}
interface Policy {
  kind: string
  metadata: { name: string; namespace: string }
  spec: { selector?: unknown; action?: string; rules?: Rule[] }
}

/** A change of the rendered text that stays valid to Istio. It need not change what is decided. */
type Mutation = (rule: Rule, policy: Policy, pick: Pick, documents: Policy[]) => void

const MUTATIONS: Mutation[] = [
  (rule, _, pick) =>
    onPaths(rule, pick, (path) => path.replace('{*}', '{**}').replace(/(\{\*\*\}.*)\{\*\}.*/, '$1leaf')),
  (rule, _, pick) => onPaths(rule, pick, (path) => path.replaceAll('{*}', '*')),
  (rule, _, pick) => onPaths(rule, pick, (path) => `${path.split('/').slice(0, 2).join('/')}*`),
  (rule, _, pick) => onPaths(rule, pick, (path) => `*/${path.split('/').at(-1)?.replace('{*}', '') ?? ''}`),
  (rule, _, pick) => onPaths(rule, pick, (path) => `${path.replace(/[*/]+$/, '')}/`),
  (rule, _, pick) => onOperation(rule, pick, (to) => delete to.methods),
  (rule, _, pick) => onOperation(rule, pick, (to) => delete to.paths),
  (rule, _, pick) => onOperation(rule, pick, (to) => delete to.ports),
  (rule, _, pick) => onOperation(rule, pick, (to) => Object.assign(to, { methods: ['P*', '*S'] })),
  (rule, _, pick) => onOperation(rule, pick, (to) => Object.assign(to, { ports: ['80', '9090'] })),
  (rule, _, pick) => onOperation(rule, pick, (to) => Object.assign(to, { notPaths: ['/orders/{*}', '*1'] })),
  (rule, _, pick) => onOperation(rule, pick, (to) => Object.assign(to, { notMethods: ['GET'] })),
  (rule, _, pick) => onSource(rule, pick, { namespaces: ['op*'] }),
  (rule, _, pick) => onSource(rule, pick, { principals: ['*/sa/reports', 'cluster.local/ns/shop/*'] }),
  (rule, _, pick) => onSource(rule, pick, { principals: ['*'], notPrincipals: ['cluster.local/ns/shop/sa/checkout'] }),
  (rule, _, pick) => onSource(rule, pick, { serviceAccounts: ['frontend', 'ops/backup'] }),
  (rule) => delete rule.from,
  (_, policy) => policy.spec.rules?.pop(),
  (rule, policy, _, documents) => documents.push(denying(rule, policy, documents.length)),
  (rule, policy, pick, documents) => {
    const policyToo = denying(rule, policy, documents.length)
    for (const one of policyToo.spec.rules ?? []) onSource(one, pick, { notPrincipals: ['*/sa/checkout'] })
    documents.push(policyToo)
  },
]

/** Rendered policies with `changes` seeded changes, as one text of YAML documents. */
export function mutant(yaml: string, pick: Pick, changes: number): string {
  const documents = parseAllDocuments(yaml).map((document) => document.toJS() as Policy)
  const policies = documents.filter(({ kind, spec }) => kind === 'AuthorizationPolicy' && (spec.rules ?? []).length > 0)
  for (let change = 0; change < changes; change++) {
    const policy = pick(policies)
    const rule = pick(policy.spec.rules ?? [])
    if (rule) pick(MUTATIONS)(rule, policy, pick, documents)
  }
  return documents.map((document) => stringify(document, { aliasDuplicateObjects: false })).join('---\n')
}

/** A DENY of what a rule allows, beside it; of its first operation only, so that something is left. */
function denying(rule: Rule, { kind, metadata, spec, ...rest }: Policy, number: number): Policy {
  const { from, to } = structuredClone(rule)
  const rules = [{ ...(from ? { from } : {}), ...(to ? { to: to.slice(0, 1) } : {}) }]
  return {
    ...rest,
    kind,
    metadata: { ...metadata, name: `deny-${number}` },
    spec: { selector: spec.selector, action: 'DENY', rules },
  }
}

function onOperation(rule: Rule, pick: Pick, change: (to: Operation) => unknown): void {
  const entry = pick(rule.to ?? [])
  if (!entry) return
  change(entry.operation)
  // An operation without any field is no operation to Istio.
  if (Object.keys(entry.operation).length === 0) entry.operation.ports = ['8080']
}

function onPaths(rule: Rule, pick: Pick, change: (path: string) => string): void {
  onOperation(rule, pick, (to) => {
    if (!to.paths) return
    const path = pick(to.paths)
    to.paths = to.paths.map((one) => (one === path ? change(one) : one))
  })
}

function onSource(rule: Rule, pick: Pick, source: Source): void {
  const entry = pick(rule.from ?? [])
  if (entry) entry.source = source
}
