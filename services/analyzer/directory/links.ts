import type { DirectoryLink } from '../../model/directory.ts'
import {
  directoryChanges,
  directoryOccasions,
  directoryWatched,
  requestOccasions,
} from '../../store/queries/directory-links.ts'
import type { Window } from '../../store/queries/rollups.ts'
import type { Store } from '../../store/store.ts'
import { LOOKBACK_US, linkChanges, SKEW_US } from './link.ts'

/**
 * The changes of a window, each with the access that led to it, graded: MON-CNA-REQ-4 of SP 800-207A. The oldest first, `CHANGES_MAX` of them at most.
 * Asked again it answers the same, until something came that tells more.
 */
export async function directoryLinks(store: Store, window: Window): Promise<DirectoryLink[]> {
  const changes = await directoryChanges(store.reads, window)
  if (changes.length === 0) return []
  const around = { ...window, lookback: LOOKBACK_US, skew: SKEW_US }
  const occasions = [
    ...(await directoryOccasions(store.reads, around)),
    ...(await requestOccasions(store.reads, around)),
  ]
  const watched = new Map(
    (await directoryWatched(store.reads)).map((row) => [JSON.stringify([row.tenant, row.source]), row.since_us]),
  )
  return linkChanges(changes, occasions, (tenant, source) => watched.get(JSON.stringify([tenant, source])) ?? 0)
}
