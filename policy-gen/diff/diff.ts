import type { DeployedRule, PolicyDiff, RuleUse } from '../../services/model/diff.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import { daysOf, isMonthEnd } from '../confidence/days.ts'
import { operationOf } from '../declared/operations.ts'
import { PolicyError } from '../errors.ts'
import type { InventoryIndex } from '../inventory-index.ts'
import { askedOf, type ReplayContext } from '../replay/asked.ts'
import { behindEnds } from '../replay/behind.ts'
import type { DeployedRules, RuleField } from '../replay/deployed.ts'
import { type PolicyText, readPolicySet } from '../replay/documents.ts'
import { formats } from '../replay/formats.ts'
import { isTemplate } from '../replay/istio/paths.ts'
import type { Asked, LayerContext } from '../replay/layer.ts'
import { replay } from '../replay/replay.ts'
import { shadowedBy } from './shadow.ts'

/** In fewer days a quarter's, a month's or an incident's callers may not have come. */
const DAYS_MIN = 35
/** Of each rule. */
const USES_SHOWN_MAX = 20

/**
 * Holds deployed policies against what was observed: what they lack, what nobody uses, and what is wider than its use.
 *
 * @throws PolicyError `bad_policy`, `bad_option`
 */
export function diff(
  files: readonly PolicyText[],
  operations: readonly ObservedOperation[],
  context: ReplayContext,
): PolicyDiff {
  const served = operations.filter(({ requests }) => requests > 0).map((operation) => ({ ...operation, denied: 0 }))
  const replayed = replay(files, served, context)
  // A declaration uses its rule, seen or not; as many requests as it was seen for.
  const declared = (context.declared?.active ?? []).map((one) => ({ ...operationOf(one), requests: 0 }))
  const { asked, layers } = askedOf([...served, ...declared], context)
  const deployed = deployedIn(files, layers)
  const uses = usesOf(deployed, asked, layers.index)
  const shadowed = shadowedBy(deployed.flatMap(({ rules }) => rules))
  const others = deployed.flatMap(({ rules }) => rules).filter((rule) => !shadowed.has(rule))
  const guards = guardsOf(context.window)
  const shown = (rule: DeployedRule) => ruleUse(rule, uses.get(rule) ?? [], guards)
  const setOf = new Map(deployed.flatMap((one) => one.rules.map((rule) => [rule, one] as const)))
  const {
    revoke = [],
    restrict = [],
    keep = [],
  } = Object.groupBy(others, (rule) => useOf(rule, uses.get(rule), setOf.get(rule)))
  return {
    window: context.window,
    days: daysOf(context.window).length,
    requests: replayed.requests,
    grant: replayed.newly_denied,
    uncertain: replayed.uncertain.reduce((sum, { requests }) => sum + requests, 0),
    revoke: revoke.map(shown),
    restrict: restrict.map(shown),
    shadowed: [...shadowed].map(([rule, by]) => ({ ...rule, by: by.rule })),
    kept: keep.length,
    unread: deployed.flatMap(({ unread = [] }) => unread),
  }
}

function useOf(
  rule: DeployedRule,
  uses: readonly ObservedOperation[] | undefined,
  set: DeployedRules | undefined,
): 'revoke' | 'restrict' | 'keep' {
  if (!uses) return 'revoke'
  return set && isBroad(rule, uses, set) ? 'restrict' : 'keep'
}

function deployedIn(files: readonly PolicyText[], layers: LayerContext): DeployedRules[] {
  const set = readPolicySet(files)
  const found = formats.flatMap((format) => format.deployed?.(set, layers) ?? [])
  if (found.length > 0) return found
  const known = formats.filter((format) => format.deployed).map(({ id }) => id)
  throw new PolicyError('bad_policy', `there are no policies whose rules can be compared; formats: ${known.join(', ')}`)
}

function usesOf(
  deployed: readonly DeployedRules[],
  asked: readonly Asked[],
  index: InventoryIndex,
): Map<DeployedRule, ObservedOperation[]> {
  const uses = new Map<DeployedRule, ObservedOperation[]>()
  for (const one of asked) {
    const used = behindEnds(one, index).flatMap(({ operation, request }) =>
      deployed.flatMap(({ usedBy }) => usedBy(operation, request)),
    )
    for (const rule of new Set(used)) {
      const known = uses.get(rule)
      if (known) known.push(one.operation)
      else uses.set(rule, [one.operation])
    }
  }
  return uses
}

function guardsOf(window: { since: string; until: string }): string[] {
  const days = daysOf(window)
  return [
    ...(days.length < DAYS_MIN ? [`${days.length} of ${DAYS_MIN} days were observed`] : []),
    ...(days.some(({ day }) => isMonthEnd(day)) ? [] : ['the end of a month was not observed']),
  ]
}

/**
 * Whether a rule could say less and still allow its uses: a field is open, and they all tell what would stand there. A
 * template says what was seen: many values of one operation.
 */
function isBroad(
  rule: DeployedRule,
  uses: readonly ObservedOperation[],
  { says, isOpen = isOpenAsWritten }: DeployedRules,
): boolean {
  const all = (tells: (operation: ObservedOperation) => boolean) => uses.every(tells)
  const broad = {
    source: () => all((use) => use.source.id !== ''),
    port: () => all((use) => use.workloadPort !== 0),
    method: () => all((use) => use.method !== ''),
    path: () => all((use) => use.path !== '' && !use.pathFlags.includes('route')),
  }
  return says.some((field) => isOpen(rule, field) && broad[field]())
}

function isOpenAsWritten(rule: DeployedRule, field: RuleField): boolean {
  if (field === 'port') return rule.port === 0 && rule.conditions.length === 0
  const text = rule[field]
  return (text === '' || text.includes('*')) && !(field === 'path' && isTemplate(text))
}

function ruleUse(rule: DeployedRule, used: readonly ObservedOperation[], guards: readonly string[]): RuleUse {
  const byRequests = [...used].sort((a, b) => b.requests - a.requests)
  return {
    ...rule,
    requests: used.reduce((sum, { requests }) => sum + requests, 0),
    last_used:
      used
        .map(({ lastSeen }) => lastSeen)
        .sort()
        .at(-1) ?? null,
    used_for: byRequests.slice(0, USES_SHOWN_MAX).map(({ source, destination, method, path, requests }) => ({
      ...{ source: source.principal || source.id, destination: destination.id },
      ...{ method, path, requests },
    })),
    guards: used.length === 0 ? [...guards] : [],
  }
}
