import { EVIDENCE, type Evidence } from '../model/evidence.ts'

/** On whose word telemetry is taken: bound to every batch, and a column of every fact. One commit never mixes senders. */
export interface Origin {
  sender: string
  tenant: string
  /** Cluster of the reporters, '' where the installation has one. */
  cluster: string
  /** The strongest evidence that this sender can give. */
  evidenceCap: Evidence
  /** A regular expression (RE2) over `namespace/workload` of the reporter; '' speaks for all. */
  speaksFor: string
}

/** Files, standard input and loopback with the admin token: the operator's own word. */
export function operator(cluster = ''): Origin {
  return { sender: 'operator', tenant: '', cluster, evidenceCap: 'verified', speaksFor: '' }
}

/** The parameters that `statements.ts` binds. */
export function originParams(origin: Origin): Record<string, string | number> {
  return {
    sender: origin.sender,
    tenant: origin.tenant,
    cluster: origin.cluster,
    evidence_cap: EVIDENCE[origin.evidenceCap],
    speaks_for: origin.speaksFor,
  }
}
