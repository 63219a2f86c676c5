import type { Observation, Report } from '../../model/finding.ts'

const CHECK = 'policy-drift'

/** What is deployed, held against what was approved. */
export interface Drift {
  /** Approved content that is deployed in part, or not as it was approved. */
  partial: readonly { callee: string; digest: string }[]
  /** Deployed, and nobody promoted it there. */
  refused: readonly { callee: string; digest: string; stage: string; why: string }[]
  /** Deployed policies that no draft has. */
  foreign: readonly string[]
}

/** Policies of one target that are not what was approved, as findings. What was read back is all there is of it, so what is gone is gone. */
export function reportOfReadBack(target: string, { partial, refused, foreign }: Drift, at: string): Report {
  const window = { since: at, until: at }
  const observe = (subject: string, severity: Observation['severity'], title: string, fix: string): Observation => ({
    ...{ check: CHECK, subject: `${target}: ${subject}`, place: target, severity, title },
    ...{ first_seen: at, last_seen: at, share: 1 },
    evidence: {
      ...{ queries: ['read_back'], parameters: window, counts: { met: 0, unmet: 1, untold: 0 } },
      ...{ samples: [title], left_out: 0 },
    },
    blind: 'what was not read back: other clusters, and whatever changed since',
    fix,
  })
  return {
    check: CHECK,
    window,
    observations: [
      ...partial.map(({ callee, digest }) =>
        observe(
          `${callee} in part`,
          'high',
          `the draft ${digest.slice(0, 12)} of ${callee} is deployed in part, or not as it was approved`,
          'deliver it anew (cinch policies deliver), and see who changed it in the cluster',
        ),
      ),
      ...refused.map(({ callee, stage, why }) =>
        observe(
          `${callee} ${stage}`,
          'critical',
          `what is deployed of ${callee} as ${stage} was not promoted there: ${why}`,
          'see who deployed it; withdraw it, or have it approved (cinch policies drafts)',
        ),
      ),
      ...foreign.map((name) =>
        observe(
          `foreign ${name}`,
          'medium',
          `${name} is deployed, and no draft has it`,
          'see whose it is: remove it, or declare what it is for',
        ),
      ),
    ],
    couldSee: ({ place }) => place === target,
  }
}
