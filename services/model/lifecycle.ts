import type { Declaration } from './declaration.ts'
import type { EgressNamespace } from './egress.ts'
import type { Permission } from './permission.ts'

/**
 * What becomes of a draft. `dry_run` and `enforced` are what was read back from where policies are deployed, never what
 * somebody asked for; `withdrawn` is the end.
 */
export const STATES = ['draft', 'in_review', 'approved', 'dry_run', 'enforced', 'withdrawn'] as const
export type DraftState = (typeof STATES)[number]

/** Where deployed policies are read back from: the draft's own content, enforced or as a dry run, or none of it. */
export type Stage = 'absent' | 'dry_run' | 'enforced'

/**
 * A step of a draft's life.
 * - `propose`: new, or once more after it was withdrawn
 * - `submit`, `return`: to its owners for review, and back
 * - `approve`: by one of its owners; `as` is the owner
 * - `promote`: may go to the next stage; delivery writes it so
 * - `confirm`: was read back there
 * - `withdraw`: shall not be deployed (any more)
 * - `roll_back`: is withdrawn, and what it replaced, which was approved, may be enforced again
 */
export type Step =
  | { action: 'propose'; owners: string[]; predicted: Predicted }
  | { action: 'submit' }
  | { action: 'return' }
  | { action: 'approve'; as: string; acknowledged: number; unowned: boolean }
  | { action: 'promote'; to: 'dry_run' | 'enforced' }
  | { action: 'confirm'; stage: Stage }
  | { action: 'withdraw' }
  | { action: 'roll_back' }
export type Action = Step['action']

/** What replay said of a draft when it was proposed: of the requests of its callee. */
export interface Predicted {
  window: { since: string; until: string }
  requests: number
  newly_denied: number
  /** Distinct operations that would be denied: as many must be acknowledged for an approval. */
  denied_operations: number
}

/**
 * Which draft: of a target, of a callee (`cluster/namespace/workload`, `*` for what holds for the namespace, `*egress` for what may leave
 * it), and its content's digest.
 */
export interface DraftId {
  target: string
  callee: string
  digest: string
}

/** A draft as its life has it now. */
export interface DraftLife extends DraftId {
  state: DraftState
  /** A later draft of the callee stands: this one goes no further. */
  stale: boolean
  owners: string[]
  approvals: { as: string; who: string; at: string }[]
  /** Where it may go, beyond where it is. */
  wanted: '' | 'dry_run' | 'enforced' | 'withdrawn'
  /** The digest that was enforced when this one came to be; what a rollback goes back to. */
  replaces: string
  predicted: Predicted
  /** When, by whom and why it came to its state. */
  at: string
  who: string
  why: string
}

/** What is appended to the log: a step of a draft, or what is said of all. */
export type Said =
  | { about: 'draft'; draft: DraftId; step: Step }
  | { about: 'declare'; declaration: Declaration }
  | { about: 'lift'; id: string }
  | { about: 'windows'; windows: string[] }
  /** Not what was written. */
  | { about: 'unreadable' }

/** An entry of the log. `hash` is SHA-256 over all else in it, the entry before by its hash. */
export interface LogEntry {
  seq: number
  /** ISO 8601, UTC. */
  at: string
  /** Who was authenticated: the user of the command line, or the name of the token. */
  who: string
  why: string
  said: Said
  previous: string
  hash: string
}

/** The last entry that somebody knows: kept outside of the store, it shows what was cut off behind. */
export interface LogHead {
  seq: number
  hash: string
}

export interface LogVerdict {
  entries: number
  head: LogHead
  /** What is not as it was written; nothing when all is. */
  faults: { seq: number; what: string }[]
}

/** What a draft says, as it is kept: its files are made of it. */
export interface DraftContent extends DraftId {
  window: { since: string; until: string }
  permissions: Permission[]
  /** Of what leaves a namespace, instead of permissions. */
  egress?: EgressNamespace
}

/** Requests of one kind at a callee that were denied, or would have been: as the proxies told. */
export interface MeasuredCall {
  /** `namespace/workload`. */
  destination: string
  /** Principal, empty where none was told. */
  source: string
  method: string
  path: string
  decision: 'denied' | 'would_deny'
  requests: number
  last_seen: string
}

/** What is proposed for a draft, from what was measured or predicted; a person does it. */
export interface Advice extends DraftId {
  action: 'promote' | 'wait' | 'keep' | 'withdraw' | 'roll_back'
  why: string
  /** Since it came to its state. */
  requests: number
  /** Of them denied, or to be, and served before; and what replay said of as many. */
  denied: number
  expected: number
  /** Denied, or to be, and never seen to be served: attacks, or what is new. */
  unknown: number
  calls: MeasuredCall[]
}
