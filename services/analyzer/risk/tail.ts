/**
 * How rare a score is among what is usual, learned online: peaks over a threshold (Pickands 1975; SPOT, Siffer et al. 2017). Beyond the
 * ninetieth percentile excesses are taken as generalised Pareto, fitted by maximum likelihood.
 */
export interface Tail {
  /**
   * Takes a score in.
   * @param isSuspect it is not known to be honest: then it is counted as having passed `limit`, and not by how much, so that alarms
   * neither teach what is usual nor thin the tail out by being left away
   */
  add(score: number, isSuspect?: boolean, limit?: number): void
  /** The score that one in 1/`share` exceeds; undefined until enough was seen. */
  threshold(share: number): number | undefined
  /** The share that exceeds a score; undefined until enough was seen. */
  exceedance(score: number): number | undefined
}

/** Scores that are kept: what is older has been replaced, so that the tail follows what drifts. */
export const SCORES_KEPT = 10_000
/** At the ninetieth percentile these leave twenty excesses, the fewest that a fit makes sense of. */
export const SCORES_MIN = 200
const TAIL_SHARE = 0.1
/** A fit costs a millisecond: it is done anew when so many of a hundred scores are new. */
const REFIT_SHARE = 0.02
/** Heavier tails have no variance, and lighter ones end: they would call impossible what merely was not seen. */
const SHAPE_MAX = 0.5

interface Fit {
  start: number
  share: number
  shape: number
  scale: number
}

export function createTail(): Tail {
  const kept: Peak[] = []
  let next = 0
  let added = 0
  let fitted: { fit: Fit; at: number } | undefined
  const current = (): Fit | undefined => {
    if (kept.length < SCORES_MIN) return undefined
    if (!fitted || added - fitted.at >= kept.length * REFIT_SHARE) fitted = { fit: fitTail(kept), at: added }
    return fitted.fit
  }
  return {
    add: (score, isSuspect = false, limit = score) => {
      kept[next] = { score: isSuspect ? Math.min(score, limit) : score, isCensored: isSuspect }
      next = (next + 1) % SCORES_KEPT
      added += 1
    },
    threshold: (share) => {
      const found = current()
      return found && Math.max(Math.log(1 / share), quantile(found, kept, share))
    },
    exceedance: (score) => {
      const found = current()
      return found && exceeding(found, kept, score)
    },
  }
}

interface Peak {
  score: number
  isCensored: boolean
}

function fitTail(kept: readonly Peak[]): Fit {
  const sorted = kept.map(({ score }) => score).sort((a, b) => a - b)
  const start = sorted[Math.floor(sorted.length * (1 - TAIL_SHARE))] ?? 0
  const peaks = kept.filter(({ score }) => score > start).map((peak) => ({ ...peak, excess: peak.score - start }))
  const whole = Math.max(1, peaks.filter(({ isCensored }) => !isCensored).length)
  const mean = peaks.reduce((sum, { excess }) => sum + excess, 0) / whole
  // All alike: whatever is more is beyond what was seen, by the least that can be told.
  if (!(mean > 0)) return { start, share: peaks.length / kept.length, shape: 0, scale: 1e-6 }
  return { start, share: peaks.length / kept.length, ...mostLikely(peaks, whole, mean) }
}

/**
 * Shape and scale that make the excesses most likely. Given their ratio the shape follows (Grimshaw 1993), so one number is searched for;
 * a censored excess adds to what was lived through and not to what ended.
 */
function mostLikely(peaks: readonly (Peak & { excess: number })[], whole: number, mean: number) {
  let best = { shape: 0, scale: mean, likelihood: -whole * Math.log(mean) - whole }
  for (let step = -30; step <= 20; step += 1) {
    const ratio = 10 ** (step / 10) / mean
    const logs = peaks.reduce((sum, { excess }) => sum + Math.log1p(ratio * excess), 0)
    const ended = peaks.reduce((sum, { excess, isCensored }) => sum + (isCensored ? 0 : Math.log1p(ratio * excess)), 0)
    const shape = logs / whole
    if (shape > SHAPE_MAX) break
    const likelihood = -whole * Math.log(shape / ratio) - whole - ended
    if (likelihood > best.likelihood) best = { shape, scale: shape / ratio, likelihood }
  }
  return { shape: best.shape, scale: best.scale }
}

/** Within what was seen by counting, beyond it by the fit. The greater a likelihood ratio, the rarer by chance: never below ln(1/share). */
function quantile({ start, share: beyond, shape, scale }: Fit, kept: readonly Peak[], share: number): number {
  if (share >= beyond) {
    const sorted = kept.map(({ score }) => score).sort((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * (1 - share)))] ?? start
  }
  const ratio = beyond / share
  return start + (shape === 0 ? scale * Math.log(ratio) : (scale / shape) * (ratio ** shape - 1))
}

function exceeding({ start, share, shape, scale }: Fit, kept: readonly Peak[], score: number): number {
  if (score <= start) return kept.filter((one) => one.score >= score).length / kept.length
  const excess = (score - start) / scale
  return share * (shape === 0 ? Math.exp(-excess) : (1 + shape * excess) ** (-1 / shape))
}
