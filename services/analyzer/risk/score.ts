import type { RiskReading, RiskTerm } from '../../model/risk.ts'

/** Dimensions that tell of one thing in several ways; of each group the one that says most counts, so that nothing counts twice. */
const GROUPS: Record<string, string> = {
  callee: 'what',
  operation: 'what',
  network: 'where',
  country: 'where',
  agent: 'with',
  device: 'with',
}

/** What an entity did in a day, judged: terms that add up to the score, for each way to read them. */
export type Judged = Record<RiskReading, { nats: number; terms: RiskTerm[] }>

/** Terms of all dimensions to a score. */
export function judge(terms: readonly RiskTerm[]): Judged {
  return { whole: heaviest(terms), added: heaviest(terms.filter(({ nats }) => nats > 0)) }
}

/** The dimensions that count: of each group the one with the greatest sum. */
function heaviest(terms: readonly RiskTerm[]): Judged[RiskReading] {
  const groups = new Map<string, { nats: number; terms: RiskTerm[] }>()
  for (const [dimension, ofOne] of Map.groupBy(terms, (term) => term.dimension)) {
    const nats = sumOf(ofOne)
    const group = GROUPS[dimension] ?? dimension
    const held = groups.get(group)
    if (held === undefined || nats > held.nats) groups.set(group, { nats, terms: ofOne })
  }
  const counted = [...groups.values()].flatMap((group) => group.terms)
  return { nats: sumOf(counted), terms: counted }
}

export const sumOf = (terms: readonly RiskTerm[]) => terms.reduce((sum, { nats }) => sum + nats, 0)
