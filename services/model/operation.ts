import type { Evidence, Reporter } from './evidence.ts'
import type { OperationUsers } from './users.ts'

/**
 * What a path contains on which some enforcement point's matcher differs from another's. The position is the bit in the
 * store's `path_flags`.
 *
 * - `equals`: a `=` in a segment (Envoy's `{*}` matches it; its template library of 2022 did not)
 * - `encoded_slash`: `%2f` or `%5c`, in any case
 * - `double_slash`: an empty segment
 * - `semicolon`: a matrix parameter
 * - `dot_segment`: `.` or `..`, also percent-encoded
 * - `trailing_slash`: ends in `/` and is not `/`
 * - `query`: the client sent a query string (it is cut before it is stored)
 * - `braces`: a literal `{` or `}`: the text cannot be told from a template's parameter
 * - `encoded`: any other percent-encoding
 * - `unusual`: a byte outside of RFC 3986's path characters
 * - `route`: the path was not seen; a framework's route stands for it (`http.route`)
 * - `claimed`: the log's format writes the `x-envoy-original-path` header in the path's place, which any client can set
 */
export const PATH_FLAGS = [
  'equals',
  'encoded_slash',
  'double_slash',
  'semicolon',
  'dot_segment',
  'trailing_slash',
  'query',
  'braces',
  'encoded',
  'unusual',
  'route',
  'claimed',
] as const
export type PathFlag = (typeof PATH_FLAGS)[number]

export type Protocol = 'http' | 'grpc' | 'tcp' | 'unknown'

/** One end of a call. Empty strings are "not known"; `id` is the canonical node id of the graph (see `identity.ts`). */
export interface Party {
  id: string
  /** Platform identity without the `spiffe://` scheme, as Istio writes principals: `cluster.local/ns/a/sa/b`. */
  principal: string
  namespace: string
  workload: string
  cluster: string
}

/**
 * One operation that one caller was seen to use at one callee: what permissions are made of and what replay decides.
 *
 * `path` has no query. A segment in braces stands for many values: `{int}`, `{uuid}`, `{hex}`, `{date}` by its type, or
 * a route's own name (flag `route`). An empty `method` or `path` means that no reporter told it. A port of 0 is unknown;
 * the service port (what the caller asked for) and the workload port (what the callee listens on) are never mixed.
 */
export interface ObservedOperation {
  source: Party & { evidence: Evidence }
  destination: Party & { service: string }
  servicePort: number
  workloadPort: number
  protocol: Protocol
  method: string
  path: string
  /** What the requests name beside their path (GraphQL, JSON-RPC); left out where nothing does. No enforcement point matches it. */
  named?: string
  pathFlags: PathFlag[]
  /** Whether the hop was mutual TLS, where a reporter told. */
  mtls: 'yes' | 'no' | 'unknown'
  reporter: Reporter
  /** Left out where nobody told whether there were users. */
  users?: OperationUsers
  /** The caller's replicas that were served, hexadecimal: see `marks.ts`. Left out where nobody told. */
  replicas?: string
  /** Requests that were served (not refused by policy). */
  requests: number
  /** Those of them that were answered that there is no such operation (404, 405, gRPC's UNIMPLEMENTED); absent where that is not told. */
  notFound?: number
  /** Requests that an enforcement point refused; they teach nothing. */
  denied: number
  /** ISO 8601, UTC. */
  firstSeen: string
  lastSeen: string
  /** Distinct UTC days on which it was seen. */
  days: number
}
