import type { DeployedRule } from '../../../services/model/diff.ts'
import type { ObservedOperation } from '../../../services/model/operation.ts'
import { type DeployedRules, type Described, openOf, RULES_MAX } from '../deployed.ts'
import type { IgnoredDocument } from '../documents.ts'
import { fail, field, isRecord, type Reader } from '../fields.ts'
import { all, fromBoolean, type Tri } from '../tri.ts'
import { allOf, type Check, untold } from './checks.ts'
import { conjunctions, describe } from './describe.ts'
import type { Filter } from './documents.ts'
import { items, message } from './proto.ts'
import { PERMISSION_KINDS, readPermission } from './read-permission.ts'
import { PRINCIPAL_KINDS, readPrincipal } from './read-principal.ts'
import { byCaller } from './read-rbac.ts'

/** A filter that stands before a callee, or may. */
export interface Applicable {
  filter: Filter
  applies: Tri
}

/** One caller and one operation of a policy: as a rule, and as a question to a request. */
interface Part extends Described {
  check: Check
  only: ReadonlySet<string> | null
  /** It looks at HTTP. Without, it holds for a connection too, whichever filter it is written in. */
  http: boolean
}

/**
 * Takes the policies of enforced ALLOW filters apart: every caller, method and path alone. What a policy asks beside them stays
 * with each part, so the parts together allow what the policies do.
 */
export function deployedRules(
  filters: readonly Filter[],
  filtersOf: (operation: ObservedOperation) => readonly Applicable[],
  ignored: readonly IgnoredDocument[],
): DeployedRules {
  const unread = ignored.map(({ file, name, reason }) => ({ file, rule: name, reason }))
  const parts = new Map<Filter, Part[]>()
  let count = 0
  for (const filter of filters) {
    const own = partsOf(filter)
    if (own === 'denies') {
      unread.push({
        file: filter.reader.file,
        rule: filter.reader.at,
        reason: 'a filter with another action than ALLOW',
      })
      continue
    }
    count += own.length
    if (count > RULES_MAX)
      fail(filter.reader, `and those before it allow more than ${RULES_MAX} combinations; split them`)
    parts.set(filter, own)
  }
  const partsFor = new Map([...parts].map(([filter, own]) => [filter, byCaller(own)]))
  const described = [...parts.values()].flat()
  return {
    rules: described.map(({ deployed }) => deployed),
    says: ['source', 'method', 'path'],
    isOpen: openOf(described),
    unread,
    usedBy: (operation, request) =>
      filtersOf(operation).flatMap(({ filter, applies }) => {
        const { ports } = filter.proxies
        const listens = ports.size === 0 || request.port === 0 ? 'yes' : fromBoolean(ports.has(request.port))
        const near = partsFor.get(filter)?.(request.caller) ?? []
        return near
          .filter(({ http, check }) => {
            const sees = http ? request.http : 'yes'
            return all(applies, listens, sees) !== 'no' && check(request, new Set()) !== 'no'
          })
          .map(({ deployed }) => deployed)
      }),
  }
}

function partsOf({ enforces, reader, proxies, sees }: Filter): Part[] | 'denies' {
  if (enforces === 'matcher' || enforces.rules === undefined) return []
  const { action = 'ALLOW', policies = {} } = message(enforces.rules, reader, [
    'action',
    'policies',
    'audit_logging_options',
  ])
  if (action !== 'ALLOW' && action !== 0) return 'denies'
  const labels = Object.entries(proxies.selector ?? {}).map(([key, value]) => `${key}=${value}`)
  const place = [
    proxies.cluster === undefined ? proxies.namespace : `${proxies.cluster}/${proxies.namespace}`,
    labels.sort().join(',') || proxies.workloads?.join(',') || '(all workloads)',
    ...(sees === 'connections' ? ['connections'] : []),
    ...(proxies.ports.size > 0 ? [`:${[...proxies.ports].join(',')}`] : []),
  ]
  const about = { file: reader.file, scope: place.join(' ') }
  return Object.entries(isRecord(policies) ? policies : {}).flatMap(([name, policy]) =>
    policyParts(policy, { ...about, rule: JSON.stringify(name) }, proxies, field(reader, `policies.${name}`)),
  )
}

function policyParts(
  policy: unknown,
  about: Pick<DeployedRule, 'file' | 'scope' | 'rule'>,
  tls: Filter['proxies'],
  reader: Reader,
): Part[] {
  const {
    permissions,
    principals,
    condition,
    checked_condition: checked,
  } = isRecord(policy)
    ? message(policy, reader, ['permissions', 'principals', 'condition', 'checked_condition', 'cel_config'])
    : {}
  const cel = condition ?? checked
  const operations = items(permissions, reader, (one, at) => conjunctions(one, PERMISSION_KINDS, at)).flat()
  const callers = items(principals, reader, (one, at) => conjunctions(one, PRINCIPAL_KINDS, at)).flat()
  if (operations.length * callers.length > RULES_MAX)
    fail(reader, `allows more than ${RULES_MAX} combinations; split its lists`)
  return callers.flatMap((who) => {
    const read = who.map(({ raw }) => readPrincipal(raw, tls, reader))
    const only = read.find((one) => one.only !== null)?.only ?? null
    return operations.map((what): Part => {
      const checks = [...read.map(({ check }) => check), ...what.map(({ raw }) => readPermission(raw, reader))]
      if (cel !== undefined) checks.push(untold('a condition in CEL'))
      const { rule, open, http } = describe(who, what)
      const conditions = cel === undefined ? rule.conditions : [...rule.conditions, 'a condition in CEL']
      return { deployed: { ...about, ...rule, conditions }, open, http, check: allOf(checks), only }
    })
  })
}
