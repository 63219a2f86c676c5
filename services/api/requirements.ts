import { reportOfDisagreements } from '../analyzer/findings/from-disagreements.ts'
import type { Assessment } from '../model/check.ts'
import { disagreementRows } from '../store/queries/join-answers.ts'
import type { Window } from '../store/queries/rollups.ts'
import type { Store } from '../store/store.ts'
import type { ChainsAnswer } from './chains.ts'
import { type AskedChecks, createChecks } from './checks.ts'
import { DISAGREEMENTS_MAX } from './disagreements.ts'
import { createFindings, type Findings, type LookPace, type Producer } from './findings.ts'
import type { Graphs } from './graphs.ts'
import type { AskedWindow } from './window.ts'

/** Requirements, and what is found where they do not hold. */
export interface Requirements {
  /** Requirements of NIST's documents, each with a verdict, and what shows it. */
  checks(asked: AskedChecks): Promise<Assessment>
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
  const checks = createChecks({ ...sources, tunings: async () => await findings.tunings() })
  const findings = createFindings(sources.store, [checks.produce, disagreementsOf(sources)], lookPace)
  return {
    findings,
    checks: async ({ since, until, ...asked }) => await checks.assess(await windowOf({ since, until }), asked),
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
