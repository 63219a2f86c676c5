import { EVIDENCE, type Evidence } from '../../../services/model/evidence.ts'

/** Strengths of identity evidence, strongest first. */
export const LADDER = (Object.keys(EVIDENCE) as Evidence[]).sort((a, b) => EVIDENCE[b] - EVIDENCE[a])

export const EVIDENCE_NOTES: Record<Evidence, string> = {
  verified: 'The peer certificate, seen by the callee’s proxy',
  joined: 'Both proxies logged the same connection',
  address: 'The direct peer’s address, mapped to a workload at that time',
  claimed: 'A name that the calling application chose itself',
  none: 'Nothing tells who called',
}
