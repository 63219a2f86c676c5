import type { Callee, Condition, Permission } from '../../../services/model/permission.ts'
import { calleeIds } from '../../grants/callee-ids.ts'
import { casesOf } from '../../grants/cases.ts'
import { verificationLoss } from '../../grants/claims.ts'
import { evidenceLines, type Window } from '../../grants/comments.ts'
import { type CalleeGrants, grantsOf } from '../../grants/grants.ts'
import { fileNames, kubernetesName } from '../../grants/names.ts'
import { type Grant, type GrantProduct, rulesOf } from '../../grants/rules.ts'
import type { PolicyFile, Rendered } from '../target.ts'
import { dialect } from './dialect.ts'
import { SCHEMA } from './schema.ts'
import { cedarString } from './text.ts'
import { isTemplate, testsOf, userTestsOf } from './when.ts'

const VERIFIER = 'the enforcement point has to pass `user` from tokens that it verified'

/** Templates in one policy: Cedar's parser nests each `||` in the one before it. */
const TEMPLATES_MAX = 64

/** One file of policies for each callee, the schema that they are valid against, and the callees as entities. */
export function render(permissions: readonly Permission[], window: Window): Rendered {
  const { callees, loss } = grantsOf(permissions, dialect)
  const list = callees.map(({ callee }) => callee)
  const ids = calleeIds(list)
  const names = fileNames(list)
  const files: PolicyFile[] = callees.map((entry) => {
    const { cluster } = entry.callee
    const directory = cluster === '' ? 'policies' : `policies/${kubernetesName(cluster)}`
    const content = policiesOf(entry, ids.get(entry.callee) ?? '', window)
    return { path: `${directory}/${names.get(entry.callee)?.file ?? ''}.cedar`, content }
  })
  files.push({ path: 'schema.cedarschema', content: SCHEMA }, { path: 'entities.json', content: entitiesOf(ids) })
  files.sort((left, right) => (left.path < right.path ? -1 : 1))
  return { files, loss: [...loss, ...verificationLoss(callees, VERIFIER)], cases: casesOf(callees) }
}

function policiesOf(entry: CalleeGrants, id: string, window: Window): string {
  const head = evidenceLines(entry, window).map((line) => `// ${line}\n`)
  const policies = [...entry.grants.keys()].sort().flatMap((principal) => {
    const products = productsOf(principal, entry.grants.get(principal) ?? [])
    return products.map((product, at) => policyOf(id, principal, product, at))
  })
  return `${head.join('')}\n${policies.join('\n')}`
}

/** What one policy of a caller asks of a request. */
interface Product extends GrantProduct {
  when: Condition[]
}

function policyOf(id: string, principal: string, product: Product, at: number): string {
  const scope = [
    `principal == Cinch::Identity::${cedarString(principal)}`,
    'action == Cinch::Action::"request"',
    `resource == Cinch::Callee::${cedarString(id)}`,
  ]
  const tests = [...testsOf(product), ...userTestsOf(product.when)]
  const head = `@id(${cedarString(`${principal} to ${id}, ${at + 1}`)})\npermit (\n  ${scope.join(',\n  ')}\n)`
  return tests.length === 0 ? `${head};\n` : `${head}\nwhen {\n  ${tests.join(' &&\n  ')}\n};\n`
}

// A caller's policies name it in their scope, by which Cedar's stores find them; so callers do not share any.
function productsOf(principal: string, grants: readonly Grant[]): Product[] {
  const rules = rulesOf(new Map([[principal, grants]]))
  const products = rules.flatMap(({ to, when }) => to.map((product) => ({ ...product, when })))
  return products.flatMap((product) => {
    const templates = product.paths.filter(isTemplate)
    if (templates.length <= TEMPLATES_MAX) return [product]
    const exact = product.paths.filter((path) => !isTemplate(path))
    const parts = chunks(templates).map((paths) => ({ ...product, paths }))
    return exact.length > 0 ? [{ ...product, paths: exact }, ...parts] : parts
  })
}

function chunks<T>(items: readonly T[]): T[][] {
  const parts: T[][] = []
  for (let start = 0; start < items.length; start += TEMPLATES_MAX)
    parts.push(items.slice(start, start + TEMPLATES_MAX))
  return parts
}

/** What an enforcement point must know to find the callee of a request: the labels that select its pods. */
function entitiesOf(ids: ReadonlyMap<Callee, string>): string {
  const entities = [...ids].map(([{ cluster, namespace, workload, selector }, id]) => ({
    uid: { type: 'Cinch::Callee', id },
    attrs: { cluster: cluster.toWellFormed(), namespace, workload: workload.toWellFormed() },
    parents: [],
    tags: selector,
  }))
  entities.sort((left, right) => (left.uid.id < right.uid.id ? -1 : 1))
  return `${JSON.stringify(entities, null, 2)}\n`
}
