/** How a job goes about its work beside a service that is asked and sent to meanwhile. */
export interface Pace {
  /** Minutes that ended less than this ago are left for later, for what belongs to them is still being reported. */
  settledMs: number
  /** Rest between parts, so that whoever shares the process is served. */
  pauseMs: number
}

/** All at once: for a command that waits for it. */
export const HURRIED: Pace = { settledMs: 0, pauseMs: 0 }
