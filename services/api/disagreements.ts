import { sharedPrincipals } from '../model/identity.ts'
import { type Disagreement, disagreementRows } from '../store/queries/join-answers.ts'
import { ownPrincipals } from '../store/queries/principals.ts'
import { storedWindow, type Window } from '../store/queries/rollups.ts'
import type { Store } from '../store/store.ts'
import { type AskedWindow, resolveWindow } from './window.ts'

/** Disagreements of one answer, those of the most requests; claims are a client's to choose, and so is how many there are. */
export const DISAGREEMENTS_MAX = 1_000

export interface DisagreementsAnswer {
  window: Window
  disagreements: Disagreement[]
  /** Disagreements of the window that are not in the list. */
  left_out: number
  /** Identities that workloads of several clusters have, whenever they were seen: who may call as the one may as the other. */
  shared_principals: { principal: string; clusters: string[] }[]
}

/** Where one word on who called is held against another's. */
export async function disagreements(store: Store, asked: AskedWindow): Promise<DisagreementsAnswer> {
  const window = resolveWindow(asked, asked.since && asked.until ? undefined : await storedWindow(store.reads))
  const rows = await disagreementRows(store.reads, window, DISAGREEMENTS_MAX)
  return {
    window,
    disagreements: rows.map(({ total: _, ...row }) => row),
    left_out: (rows[0]?.total ?? 0) - rows.length,
    shared_principals: sharedPrincipals(await ownPrincipals(store.reads)).slice(0, DISAGREEMENTS_MAX),
  }
}
