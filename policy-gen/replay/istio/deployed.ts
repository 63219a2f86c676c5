import type { DeployedRule } from '../../../services/model/diff.ts'
import { PolicyError } from '../../errors.ts'
import { type DeployedRules, RULES_MAX } from '../deployed.ts'
import type { LayerContext } from '../layer.ts'
import { policiesByCallee } from './callee.ts'
import type { IstioDocuments } from './documents.ts'
import { matching } from './evaluate.ts'
import type { AuthorizationPolicy, ConditionMatch, Match, PolicyRule } from './read-authorization.ts'

/**
 * Takes the ALLOW policies apart: every principal, method and path of a rule alone. What a rule asks beside them stays
 * with each part, so the parts together allow what the policies do.
 *
 * @throws PolicyError `bad_policy` where the lists multiply beyond all reading
 */
export function deployedRules(documents: IstioDocuments, { index, selectorRule }: LayerContext): DeployedRules {
  const byId = new Map<string, DeployedRule>()
  const apart = documents.authorization
    .filter(({ action }) => action === 'ALLOW')
    .map((policy) => takeApart(policy, byId))
  const policiesOf = policiesByCallee({ ...documents, authorization: apart }, index, selectorRule)
  return {
    rules: [...byId.values()],
    says: ['source', 'method', 'path'],
    unread: documents.authorization
      .filter(({ action }) => action !== 'ALLOW')
      .map(({ file, namespace, name, action }) => ({
        file,
        rule: `ns[${namespace}]-policy[${name}]`,
        reason: `a policy with action ${action} does not allow`,
      })),
    usedBy: ({ destination }, request) =>
      matching(request, policiesOf(destination).allow).flatMap((id) => byId.get(id) ?? []),
  }
}

function takeApart(policy: AuthorizationPolicy, byId: Map<string, DeployedRule>): AuthorizationPolicy {
  const name = `ns[${policy.namespace}]-policy[${policy.name}]`
  const rules: PolicyRule[] = []
  for (const [at, rule] of policy.rules.entries())
    for (const part of partsOf(rule)) {
      byId.set(`${name}-rule[${rules.length}]`, { ...describe(part), ...placeOf(policy), rule: `${name}-rule[${at}]` })
      rules.push(part)
      if (byId.size <= RULES_MAX) continue
      const message = `${name} and those before it allow more than ${RULES_MAX} combinations; split the rule's lists`
      throw new PolicyError('bad_policy', message, policy.file)
    }
  return { ...policy, rules }
}

function placeOf({ file, cluster, namespace, selector, targets }: AuthorizationPolicy) {
  const labels = Object.entries(selector ?? {}).map(([key, value]) => `${key}=${value}`)
  const within = cluster === undefined ? namespace : `${cluster}/${namespace}`
  return {
    file,
    scope:
      targets.length > 0
        ? `${within} ${targets.map(({ kind, name }) => `${kind} ${name}`).join(', ')}`
        : `${within} ${labels.sort().join(',') || '(all workloads)'}`,
  }
}

/** One principal and one pair of method and path each, the rest of the rule as it is. */
function* partsOf({ from, to, when }: PolicyRule): Generator<PolicyRule> {
  for (const source of from.length > 0 ? from.flatMap((one) => split(one, 'principals')) : [null])
    for (const operation of to.length > 0
      ? to.flatMap((one) => split(one, 'methods')).flatMap((one) => split(one, 'paths'))
      : [null])
      yield { from: source ? [source] : [], to: operation ? [operation] : [], when }
}

function split<Field extends string>(entry: Match<Field>[], field: Field): Match<Field>[][] {
  const list = entry.find((match) => match.field === field)
  if (!list || list.values.length < 2) return [entry]
  return list.values.map((value) => entry.map((match) => (match === list ? { ...match, values: [value] } : match)))
}

function describe({ from, to, when }: PolicyRule): Omit<DeployedRule, 'file' | 'scope' | 'rule'> {
  const [source = []] = from
  const [operation = []] = to
  const only = (list: readonly Match<string>[], field: string) => {
    const values = list.find((match) => match.field === field)?.values ?? []
    return values.length === 1 ? (values[0] ?? '') : ''
  }
  const rest = (list: readonly Match<string>[], said: readonly string[]) =>
    list.flatMap(({ field, values, notValues }) => {
      const others = said.includes(field) && values.length === 1 ? [] : values
      return others.length + notValues.length > 0 ? [textOf(field, { values: others, notValues })] : []
    })
  const principal = only(source, 'principals')
  const others = rest(source, principal === '' ? [] : ['principals'])
  return {
    source: principal || others.join('; '),
    port: Number(only(operation, 'ports') || 0),
    method: only(operation, 'methods'),
    path: only(operation, 'paths'),
    conditions: [
      ...(principal === '' ? [] : others),
      ...rest(operation, ['ports', 'methods', 'paths']),
      ...when.map((match) => textOf(match.key, match)),
    ],
  }
}

function textOf(key: string, { values, notValues }: Pick<ConditionMatch, 'values' | 'notValues'>): string {
  const none = notValues.length > 0 ? [`none of ${notValues.join(', ')}`] : []
  return `${key}: ${[...(values.length > 0 ? [values.join(', ')] : []), ...none].join(', but ')}`
}
