import { directoryLinks } from '../analyzer/directory/links.ts'
import type { DirectoryCategory, DirectoryEvent, DirectoryLink, LinkGrade } from '../model/directory.ts'
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

export type AskedLinks = AskedWindow & { limit?: number | undefined }

export interface DirectoryLinksAnswer {
  window: Window
  changes: number
  /** Changes by how surely they belong to an access, the surest first; `known_jobs` of them are usual jobs of machines. */
  by_grade: { grade: LinkGrade; changes: number; known_jobs: number }[]
  /** Changes that nothing led to: no access, and no known job. */
  unlinked: number
  /** Those that nothing led to first, then by grade. */
  links: DirectoryLink[]
  left_out: number
}

/** The changes of a window, each with what led to it. */
export async function directoryLinkAnswer(
  store: Store,
  asked: AskedWindow,
  limit = DIRECTORY_EVENTS,
): Promise<DirectoryLinksAnswer> {
  const window = resolveWindow(asked, asked.since && asked.until ? undefined : await directoryWindow(store.reads))
  const links = await directoryLinks(store, window)
  const count = (grade: LinkGrade) => links.filter((link) => link.grade === grade)
  return {
    window,
    changes: links.length,
    by_grade: ([3, 2, 1, 0] as const).map((grade) => ({
      grade,
      changes: count(grade).length,
      known_jobs: count(grade).filter(({ job }) => job === 'known').length,
    })),
    unlinked: links.filter(({ linked }) => !linked).length,
    links: links.toSorted((a, b) => Number(a.linked) - Number(b.linked) || a.grade - b.grade).slice(0, limit),
    left_out: Math.max(0, links.length - limit),
  }
}
