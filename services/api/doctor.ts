import type { Completeness } from '../analyzer/metrics/completeness.ts'
import { type Lack, remedyOf } from '../collector/sources/remedies.ts'
import { type Coverage, fieldCoverage } from '../store/queries/coverage.ts'
import type { Store } from '../store/store.ts'
import { completenessOfLastDay } from './completeness.ts'

/** One thing that a sender could tell and does not, and what to configure. */
export interface Finding {
  source: string
  sender: string
  cluster: string
  missing: string
  share: number
  consequence: string
  remedy: string
}

export interface Doctor {
  senders: Coverage[]
  findings: Finding[]
  /** Access logs held against request counters, over the newest day; empty where no counters came. */
  completeness: Completeness[]
}

interface Check {
  missing: Lack
  /** Share of the facts that have it, 0 to 1. */
  has: (coverage: Coverage) => number
  /** Below this share it is a finding. */
  enough: number
  consequence: string
}

/** What each access log should tell. Shares are of the facts of the newest day that a sender sent. */
const CHECKS: Check[] = [
  {
    missing: 'source_principal',
    has: (row) => row.with_principal,
    enough: 0.5,
    consequence: 'nobody can say who called; no policy can be generated at the default evidence',
  },
  {
    missing: 'destination',
    has: (row) => row.with_destination,
    enough: 0.99,
    consequence: 'requests count for an address, not for a workload',
  },
  {
    missing: 'workload_port',
    has: (row) => row.with_port,
    enough: 0.9,
    consequence: 'rules cannot name ports',
  },
  {
    missing: 'trace',
    has: (row) => row.with_trace,
    enough: 0.5,
    consequence: 'requests cannot be followed along a chain',
  },
  {
    missing: 'tls',
    has: (row) => row.with_tls,
    enough: 0.5,
    consequence: 'plaintext hops are not seen',
  },
  {
    missing: 'callee_reports',
    has: (row) => row.by_destination,
    enough: 0.01,
    consequence: 'only callers and gateways report: what reached the callee is not proven',
  },
]

const CLAIMED: Omit<Finding, 'source' | 'sender' | 'cluster'> = {
  missing: 'identities',
  share: 1,
  consequence:
    'service names are what applications call themselves: policies need --evidence claimed and a naming rule',
  remedy: "collect the mesh's access logs too (source istio-json)",
}

/** Looks at what every sender of a source (all when empty) sent on its newest day, and says what is missing. */
export async function examine(store: Store, source: string): Promise<Doctor> {
  const senders = await fieldCoverage(store.reads, source)
  return { senders, findings: senders.flatMap(findingsOf), completeness: await completenessOfLastDay(store) }
}

function findingsOf(coverage: Coverage): Finding[] {
  const { source, sender, cluster } = coverage
  const about = { source, sender, cluster }
  const rejected = coverage.rejected / Math.max(coverage.accepted + coverage.rejected, 1)
  const unread: Finding[] =
    rejected > 0.01
      ? [
          {
            ...about,
            missing: 'readable_lines',
            share: rejected,
            consequence: 'these lines count for nothing',
            remedy: `see why: cinch rejects --source ${source}`,
          },
        ]
      : []
  // Counters have no fields to lack.
  if (source.endsWith('-metrics')) return unread
  if (source === 'otlp-traces') return [{ ...about, ...CLAIMED }, ...unread]
  const lacking = CHECKS.filter((check) => coverage.facts > 0 && check.has(coverage) < check.enough)
  return [
    ...lacking.map((check) => ({
      ...about,
      missing: check.missing,
      share: 1 - check.has(coverage),
      consequence: check.consequence,
      remedy: remedyOf(source, check.missing),
    })),
    ...unread,
  ]
}
