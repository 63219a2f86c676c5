/** Why access is right although a window may not show it; `regular`: it does, and waits for its owner's word. */
export const DECLARATION_KINDS = ['failover', 'recovery', 'break-glass', 'regular'] as const
export type DeclarationKind = (typeof DECLARATION_KINDS)[number]

/** A permission that its owner declares: it stands beside the observed ones, until it expires. */
export interface Declaration {
  id: string
  kind: DeclarationKind
  /** Platform identity without a scheme: `cluster.local/ns/a/sa/b`. */
  caller: string
  /** `namespace/workload`, or `cluster/namespace/workload`. */
  callee: string
  /** The workload's port, 0 for any. */
  port: number
  /** Empty is any. */
  method: string
  /** Parameters as `{int}`, `{uuid}`, `{hex}`, `{date}` or another name in braces; empty is any. */
  path: string
  owner: string
  reason: string
  /** ISO 8601, UTC; from then on it is named and not granted. */
  expires: string
}

/** What stands on a permission of where it was declared. */
export type DeclaredBy = Pick<Declaration, 'id' | 'kind' | 'owner' | 'reason' | 'expires'>

/** What was declared, at a moment. */
export interface Declared {
  active: readonly Declaration[]
  expired: readonly Declaration[]
}

export const NOTHING_DECLARED: Declared = { active: [], expired: [] }
