import type { Report, Severity } from '../../model/finding.ts'
import type { Disagreement } from '../../store/queries/join-answers.ts'
import { SEEN_MIN } from '../checks/verdict.ts'

const CHECK = 'caller-disagreement'
const BLIND =
  'callers that lie and are not looked at: calls whose caller a certificate proves, and calls of which no connection is known'

const KINDS: Record<Disagreement['kind'], { severity: Severity; fault: string; fix: string }> = {
  claimed: {
    severity: 'medium',
    fault: 'were of another caller than they said',
    fix: 'see who sets the name (service.name, a header): no policy is to rest on it; PeerAuthentication in mode STRICT proves callers',
  },
  two_callers: {
    severity: 'high',
    fault: 'were of two that both say that they opened the connection',
    fix: 'see whose sender tells lines of a workload that is not its own, and register senders for their workloads only',
  },
  contradicted: {
    severity: 'high',
    fault: 'came over a connection of somebody whose address it is not',
    fix: 'see who took over the address or the connection; PeerAuthentication in mode STRICT proves callers',
  },
}

/**
 * Where one word on who called is held against another's, as findings.
 * @param told requests of the window by callee: without any, silence is no word
 */
export function reportOfDisagreements(
  rows: readonly Disagreement[],
  told: ReadonlyMap<string, number>,
  window: Report['window'],
): Report {
  return {
    check: CHECK,
    window,
    observations: rows.map(({ callee, kind, caller, evidence, said, requests, denied, first_seen, last_seen }) => {
      const { severity, fault, fix } = KINDS[kind]
      const counts = { met: 0, unmet: requests + denied, untold: 0 }
      return {
        ...{ check: CHECK, subject: `${kind} ${caller || '?'} / ${said || '?'} -> ${callee}`, place: callee, severity },
        title: `${(requests + denied).toLocaleString('en')} requests ${fault}`,
        ...{ first_seen, last_seen, share: 1 },
        evidence: {
          ...{ queries: ['disagreements'], parameters: window, counts, left_out: 0 },
          samples: [`the connection says ${caller || 'nobody'} (${evidence}), others say ${said || 'nobody'}`],
        },
        ...{ blind: BLIND, fix },
      }
    }),
    couldSee: ({ place }) => (told.get(place) ?? 0) >= SEEN_MIN,
  }
}
