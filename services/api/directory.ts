import type { DirectoryCategory, DirectoryEvent } from '../model/directory.ts'
import { directoryEvents, directoryWindow } from '../store/queries/directory.ts'
import type { Window } from '../store/queries/rollups.ts'
import type { Store } from '../store/store.ts'
import { type AskedWindow, resolveWindow } from './window.ts'

export interface AskedDirectory extends AskedWindow {
  source?: string | undefined
  category?: DirectoryCategory | undefined
  about?: string | undefined
  /** Events of the answer, the newest first. */
  limit?: number | undefined
}

export interface DirectoryAnswer {
  window: Window
  events: DirectoryEvent[]
  /** Events of the window that are not in the list. */
  left_out: number
}

export const DIRECTORY_EVENTS = 100

/** What directories, identity providers and posture systems said in a window. */
export async function directory(store: Store, asked: AskedDirectory): Promise<DirectoryAnswer> {
  const window = resolveWindow(asked, asked.since && asked.until ? undefined : await directoryWindow(store.reads))
  const { events, total } = await directoryEvents(store.reads, window, {
    ...asked,
    limit: asked.limit ?? DIRECTORY_EVENTS,
  })
  return { window, events, left_out: total - events.length }
}
