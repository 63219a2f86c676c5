import type { EgressNamespace } from '../../services/model/egress.ts'
import type { Granularity, Permission } from '../../services/model/permission.ts'
import type { Window } from '../grants/comments.ts'

/** A file of the output, its path relative to the output directory, with `/`. */
export interface PolicyFile {
  path: string
  content: string
}

/**
 * What a target could not express and what was done about it.
 * - `refused`: it is not allowed, although it was observed: these requests would be denied
 * - `widened`: more is allowed than was observed; `detail` says how much more
 * - `noted`: what is written says what was observed, under a condition that the reader should know
 */
export interface Loss {
  kind: string
  done: 'refused' | 'widened' | 'noted'
  detail: string
  callee: string
  caller: string
  port: number
  method: string
  path: string
  /** Observed requests that it concerns. */
  requests: number
  from?: Granularity
  to?: Granularity
}

/** What a verified token says. */
export interface CaseUser {
  issuer: string
  groups: string[]
}

/** A request and what the policies must say to it: run by replay and by a real enforcement point alike. */
export interface PolicyCase {
  name: string
  cluster: string
  namespace: string
  workload: string
  /** Labels of the callee's pods, as far as the policies select by them. */
  labels: Record<string, string>
  principal: string
  /** The caller's pods, where the policies select by them and not by the principal. */
  caller?: { namespace: string; workload: string; labels: Record<string, string> }
  /** The Service that the request is sent to and its port, where what stands in front of it decides. */
  service?: { name: string; port: number }
  /** For whom the request is made, as a verified token says; null without a token. Left out where nothing asks for users. */
  user?: CaseUser | null
  method: string
  path: string
  /** The workload's port; 0 when the policies do not look at it. */
  port: number
  expect: 'allow' | 'deny'
}

export interface Rendered {
  files: PolicyFile[]
  loss: Loss[]
  cases: PolicyCase[]
}

/** A kind of policy that can be written: one folder, and one line in `index.ts`. */
export interface Target {
  id: string
  title: string
  /** What it can never express, for people who choose a target. */
  limits: string[]
  /** Its files that hold for a whole namespace and not for one callee. */
  perNamespace?: RegExp
  /** Its files as what enforces them takes them for a dry run; absent where there is none. */
  dryRun?: (files: readonly PolicyFile[]) => PolicyFile[]
  /** Its files that enforce; all of them where that is absent. */
  enforced?: (files: readonly PolicyFile[]) => PolicyFile[]
  /** It writes what may leave a namespace. */
  writesEgress?: true
  /** @param egress what leaves the mesh, for targets that hold the caller's side; others leave it */
  render: (permissions: readonly Permission[], window: Window, egress?: readonly EgressNamespace[]) => Rendered
}
