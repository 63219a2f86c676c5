/**
 * What one chain lacks, at one place.
 *
 * - `parent_missing`: a span or a line names a parent that nobody sent
 * - `server_missing`: a client's span without the server's span under it
 * - `span_missing`: a hop that log lines tell of, without the callee's span
 * - `callee_log_missing`, `caller_log_missing`: a hop without the line of that side's proxy
 * - `sampled_away`: a chain that only log lines tell of
 * - `restarted`: a chain that begins at an operation which others call: the context was lost before it, or it was called directly
 * - `user_lost`: the caller's request had an end user, this hop's line has none
 * - `calls_on` (counted, never a gap): a called service that calls on within the chain
 * - `cut`: more spans and lines than one chain may have
 */
export type GapKind =
  | 'parent_missing'
  | 'server_missing'
  | 'span_missing'
  | 'callee_log_missing'
  | 'caller_log_missing'
  | 'sampled_away'
  | 'restarted'
  | 'user_lost'
  | 'calls_on'
  | 'cut'

/** Callers and callees are `namespace/workload`, '' where they are not known; an operation is `METHOD /path`. */
export interface Gap {
  kind: GapKind
  caller: string
  callee: string
  operation: string
}

/** How often something was there, and was not, over all chains of a window. */
export interface Expectation extends Gap {
  met: number
  unmet: number
}

/** A call in a chain's shape. `times`: how often it occurs beside its equals: `1`, `2-3`, `4-7`, … */
export interface ShapeCall {
  callee: string
  method: string
  path: string
  /** A message (producer, consumer) is not waited for. */
  message: boolean
  times: string
  calls: ShapeCall[]
}

/** One call of one chain, as its reporters tell it. */
export interface ChainHop {
  caller: string
  callee: string
  method: string
  path: string
  /** Microseconds from the chain's beginning, and how long it took. */
  start_us: number
  duration_us: number
  /** Who told of it. */
  server_span: boolean
  client_span: boolean
  callee_log: boolean
  caller_log: boolean
  /** `message`: a producer's; `after`: began after its caller had ended; `outlives`: ended after its caller; '' when waited for. */
  asynchronous: '' | 'message' | 'after' | 'outlives'
  /** The end user that the callee's proxy (or the gateway's) verified; '' where no line tells one. */
  user_issuer: string
  user_subject: string
  gaps: GapKind[]
  calls: ChainHop[]
}
