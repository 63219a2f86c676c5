import { requirementsOf } from '../analyzer/checks/assess.ts'
import { reportOfDisagreements } from '../analyzer/findings/from-disagreements.ts'
import type { Assessment, VerdictDay } from '../model/check.ts'
import { disagreementRows } from '../store/queries/join-answers.ts'
import type { Window } from '../store/queries/rollups.ts'
import { verdictDays } from '../store/queries/verdicts.ts'
import type { Store } from '../store/store.ts'
import { type Attestations, createAttestations } from './attestations.ts'
import type { ChainsAnswer } from './chains.ts'
import { type AskedChecks, createChecks } from './checks.ts'
import { DISAGREEMENTS_MAX } from './disagreements.ts'
import { createFindings, type Findings, type LookPace, type Producer } from './findings.ts'
import type { Graphs } from './graphs.ts'
import { type AskedWindow, timeOf } from './window.ts'

/** Days that a trend goes back, unless it is asked for more. */
const TREND_DAYS = 30

export interface AskedTrend {
  requirement?: string | undefined
  /** ISO 8601, or a span back from now; 30 days when absent. */
  since?: string | undefined
}

/** Requirements, and what is found where they do not hold. */
export interface Requirements {
  /** Requirements of NIST's documents, each with a verdict, and what shows it. */
  checks(asked: AskedChecks): Promise<Assessment>
  /** Verdicts by the day, as they were kept whenever findings were looked for. @throws CinchError `not_found` */
  trend(asked: AskedTrend): Promise<VerdictDay[]>
  /** What people answer for. */
  attestations: Attestations
  /** What is wrong, since when, and what people said of it. */
  findings: Findings
}

export interface RequirementSources {
  store: Store
  graphs: Graphs
  windowOf(asked: AskedWindow): Promise<Window>
  chainsOf(asked: AskedWindow): Promise<ChainsAnswer>
  /** Of a service; absent, findings are looked for when they are asked for. */
  lookPace?: LookPace | undefined
}

export function createRequirements({ windowOf, lookPace, ...sources }: RequirementSources): Requirements {
  const { store } = sources
  const attestations = createAttestations(store)
  const said = async () => ({
    ...{ tunings: await findings.tunings(), attestations: await attestations.list() },
    at: new Date().toISOString(),
  })
  const checks = createChecks({ ...sources, said })
  const findings = createFindings(store, [checks.produce, disagreementsOf(sources)], lookPace)
  return {
    findings,
    attestations,
    checks: async ({ since, until, ...asked }) => await checks.assess(await windowOf({ since, until }), asked),
    trend: async ({ requirement = '', since = `${TREND_DAYS}d` }) => {
      const id = requirement === '' ? '' : (requirementsOf(requirement)[0]?.id ?? '')
      return await verdictDays(store.reads, new Date(timeOf(since, Date.now())).toISOString().slice(0, 10), id)
    },
  }
}

const disagreementsOf =
  ({ store, graphs }: Pick<RequirementSources, 'store' | 'graphs'>): Producer =>
  async (window) => {
    const rows = await disagreementRows(store.reads, window, DISAGREEMENTS_MAX)
    const told = new Map<string, number>()
    for (const { row, destination } of (await graphs.observed(window)).calls)
      told.set(destination.id, (told.get(destination.id) ?? 0) + row.requests)
    return [reportOfDisagreements(rows, told, window)]
  }
