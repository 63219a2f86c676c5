/** How often gaps of one length lay between what a sender sent. */
export interface Gap {
  seconds: number
  times: number
}

/** What is usual for a sender, and what its silence means. */
export interface Silence {
  /** `learning`: too little is known to call it silent. */
  state: 'live' | 'silent' | 'learning'
  /** The median gap; 0 where there is none. */
  usual_gap_s: number
  /** The longest gap that is usual; 0 where there is none. */
  longest_gap_s: number
  /** Silent after so long; 0 while it is learned. */
  silent_after_s: number
}

/** Nobody is called silent sooner. */
export const SILENT_FLOOR_S = 300
/** What is usual may once take so much longer. */
const PATIENCE = 1.5
/** Less than a day of history is a load of files, or a first try. */
const HISTORY_MIN_S = 86_400
/** Who is quiet for an hour may keep working hours: a weekend is in so much history. */
const HISTORY_OF_HOURS_S = 8 * 86_400
/** A gap is usual when one as long came so often; what came less often was an exception, such as an outage. */
const USUAL_TIMES = 3
/** Exceptions may be so much of the time; with more of it, what is usual is not known yet. */
const EXCEPTIONS_SHARE_MAX = 0.1
/** Gaps in which less than this share of the time was spent do not make a sender slow. */
const RARE_SHARE = 0.01

/**
 * Decides whether a sender has fallen silent, from the gaps between what it sent and the time since then.
 *
 * Gaps weigh by the time that they take, not by their number: a nightly job leaves a thousand gaps of a second and one of
 * a day, and is quiet for most of the day. What it does not see: a sender that is silent when it should be busy, such as
 * at noon of a working day when its nights are quiet too; it is told after the longest usual gap.
 * @param quietS seconds since it last sent something
 */
export function silenceOf(gaps: Gap[], quietS: number): Silence {
  const sorted = gaps.filter(({ seconds, times }) => seconds > 0 && times > 0).sort((a, b) => b.seconds - a.seconds)
  const spanS = sorted.reduce((sum, { seconds, times }) => sum + seconds * times, 0)
  const usual_gap_s = medianGap(sorted)
  const longest_gap_s = Math.min(longestUsual(sorted), longestByTime(sorted, spanS))
  const exceptionsS = sorted
    .filter(({ seconds }) => seconds > longest_gap_s)
    .reduce((sum, { seconds, times }) => sum + seconds * times, 0)
  const learned =
    longest_gap_s > 0 &&
    spanS >= Math.max(longest_gap_s > 3600 ? HISTORY_OF_HOURS_S : HISTORY_MIN_S, USUAL_TIMES * longest_gap_s) &&
    exceptionsS <= EXCEPTIONS_SHARE_MAX * spanS
  if (!learned) return { state: 'learning', usual_gap_s, longest_gap_s, silent_after_s: 0 }
  const silent_after_s = Math.max(SILENT_FLOOR_S, Math.round(PATIENCE * longest_gap_s))
  return { state: quietS > silent_after_s ? 'silent' : 'live', usual_gap_s, longest_gap_s, silent_after_s }
}

function medianGap(sorted: Gap[]): number {
  const half = sorted.reduce((sum, { times }) => sum + times, 0) / 2
  let passed = 0
  for (const { seconds, times } of sorted) {
    passed += times
    if (passed >= half) return seconds
  }
  return 0
}

/** The longest gap of which, and of longer ones, there were `USUAL_TIMES`. */
function longestUsual(sorted: Gap[]): number {
  let passed = 0
  for (const { seconds, times } of sorted) {
    passed += times
    if (passed >= USUAL_TIMES) return seconds
  }
  return 0
}

/** The shortest gap such that longer ones took less than `RARE_SHARE` of the time: the 99th percentile, by time. */
function longestByTime(sorted: Gap[], spanS: number): number {
  let longer = 0
  for (const { seconds, times } of sorted) {
    longer += seconds * times
    if (longer >= RARE_SHARE * spanS) return seconds
  }
  return 0
}
