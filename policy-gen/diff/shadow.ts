import type { DeployedRule } from '../../services/model/diff.ts'

const FIELDS = ['source', 'port', 'method', 'path'] as const

/**
 * Rules that another one for the same workloads makes needless, and that one. It is told by what is written, not by what was
 * observed: each field of the other is the same or any. Of equal ones the first stays.
 */
export function shadowedBy(rules: readonly DeployedRule[]): Map<DeployedRule, DeployedRule> {
  const shadowed = new Map<DeployedRule, DeployedRule>()
  const first = new Map<string, DeployedRule>()
  for (const rule of rules) if (rule.conditions.length === 0 && !first.has(keyOf(rule))) first.set(keyOf(rule), rule)
  for (const rule of rules) {
    for (const wider of widerKeys(rule)) {
      const other = first.get(wider)
      if (other && other !== rule) {
        shadowed.set(rule, other)
        break
      }
    }
  }
  return shadowed
}

const keyOf = ({ scope, source, port, method, path }: Omit<DeployedRule, 'file' | 'rule' | 'conditions'>) =>
  JSON.stringify([scope, source, port, method, path])

/** The rule itself with any of its fields left open: 16 keys to look up, where comparing all pairs would be quadratic. */
function* widerKeys(rule: DeployedRule): Generator<string> {
  for (let open = (1 << FIELDS.length) - 1; open >= 0; open--) {
    const wider = { ...rule }
    for (const [bit, field] of FIELDS.entries())
      if (open & (1 << bit)) Object.assign(wider, { [field]: field === 'port' ? 0 : '' })
    yield keyOf(wider)
  }
}
