import type { Outcome } from './outcome.ts'

/**
 * One access-log line in Istio's JSON encoding: the default 24 keys, or these and the keys that Cinch recommends. Keys come
 * in alphabetical order, a missing value is `null`, numbers are numbers and `upstream_service_time` (a header) is a string.
 *
 * `default` is what a mesh writes without being asked: no principal, and `path` is what the client sent (or claims that a
 * proxy rewrote) instead of what the proxy matched.
 *
 * A line is put together from as few pieces as possible, each in one piece itself: what a route, a connection or an ending
 * always says is rendered once. Measured: 60 pieces a line cost three times as much as these 25.
 */
export type LineFormat = 'recommended' | 'default'

/** The caller's connection as the callee's proxy sees it, with what its lines share. */
export interface Connection {
  /** Unix milliseconds after which a new connection is opened. */
  untilMs: number
  /** The caller's side of the connection, `address:port`. */
  remote: string
  /** From `bytes_sent` to `downstream_remote_address`. */
  peer: string
  facts: ConnectionFacts
  /** From `request_id` to `start_time`, by ending. */
  endings: Map<Outcome, string>
  /** From `start_time` to `traceparent`, and from there to `upstream_service_time`. */
  beforeTrace: string
  afterTrace: string
  afterTraceLocal: string
  /** From `upstream_service_time` to the end, by user agent, where X-Forwarded-For is not sent. */
  tails: Map<string, string>
}

export interface ConnectionFacts {
  /** Certificate that the peer showed, if any. */
  certificate: { sha256: string; end: string } | undefined
  sourceSpiffe: string
  destinationSpiffe: string
  /** `address:port` each. */
  remote: string
  local: string
  serverName: string
  routeName: string
  tls: boolean
  upstreamCluster: string
  upstreamHost: string
  upstreamLocal: string
}

/** What differs from line to line. Strings need no JSON escaping. */
export interface LineParts {
  /** Rendered: `headOf`. */
  head: string
  bytesReceived: number
  bytesSent: number
  /** `downstream_remote_address`: differs from the connection's where X-Forwarded-For is trusted. */
  remote: string
  durationMs: number
  /** Rendered: `requestOf`. */
  request: string
  path: string
  /** Rendered: `protocolOf`. */
  protocol: string
  requestId: string
  outcome: Outcome
  startTime: string
  /** 32 and 16 hexadecimal digits; empty when the caller does not trace. */
  traceId: string
  spanId: string
  serviceTimeMs: number
  agent: string
  forwardedFor: string
}

/**
 * A string in one piece. The engine keeps concatenations as trees, and a fragment that stands in thousands of lines would be
 * walked in each of them.
 */
export function flat(pieces: string): string {
  return Buffer.from(pieces, 'latin1').toString('latin1')
}

const text = (value: string) => (value === '' ? 'null' : `"${value}"`)

export function headOf(authority: string): string {
  return flat(`{"authority":"${authority}","bytes_received":`)
}

/** From `duration` to `path`. `jwt` is rendered, with its key. */
export function requestOf(
  format: LineFormat,
  said: { grpcStatus: string; jwt: string; method: string; originalPath: string },
): string {
  if (format === 'default') return `,"method":"${said.method}","path":"`
  return `,"grpc_status":${text(said.grpcStatus)},${said.jwt},"method":"${said.method}","original_path":${text(said.originalPath)},"path":"`
}

/** From `path` to `request_id`. `rbac` is a rendered JSON value. */
export function protocolOf(format: LineFormat, protocol: string, rbac: string): string {
  return flat(`","protocol":"${protocol}"${format === 'default' ? '' : `,"rbac":${rbac}`},"request_id":"`)
}

/** Renders what the lines of one connection share. `shared`: many lines will, so the fragments are worth flattening. */
export function openConnection(
  facts: ConnectionFacts,
  untilMs: number,
  format: LineFormat,
  shared: boolean,
): Connection {
  const full = format === 'recommended'
  const keep = shared ? flat : (pieces: string) => pieces
  const { certificate } = facts
  const beforeTrace = full ? `","tls_version":${facts.tls ? '"TLSv1.3"' : 'null'},"traceparent":` : ''
  const cluster = `,"upstream_cluster":${text(facts.upstreamCluster)}`
  const host = `,"upstream_host":${text(facts.upstreamHost)},"upstream_local_address":${text(facts.upstreamLocal)}`
  const traced = full ? '-01"' : '"'
  return {
    untilMs,
    remote: facts.remote,
    facts,
    peer: keep(
      (full
        ? `,"certificate_end":${text(certificate?.end ?? '')},"certificate_hash":${text(certificate?.sha256 ?? '')}`
        : '') +
        ',"connection_termination_details":null' +
        (full ? `,"destination_principal":${text(facts.tls ? facts.destinationSpiffe : '')}` : '') +
        (full ? `,"downstream_direct_remote_address":"${facts.remote}"` : '') +
        `,"downstream_local_address":"${facts.local}","downstream_remote_address":"`,
    ),
    endings: new Map(),
    beforeTrace: full ? keep(`${beforeTrace}"00-`) : '',
    afterTrace: keep(`${traced}${cluster}${host},"upstream_service_time":"`),
    afterTraceLocal: `${traced}${cluster},"upstream_host":null,"upstream_local_address":null,"upstream_service_time":null`,
    tails: new Map(),
  }
}

/** The line with its newline. */
export function renderLine(c: Connection, p: LineParts, format: LineFormat): string {
  let ending = c.endings.get(p.outcome)
  if (ending === undefined) {
    ending = endingOf(c.facts, p.outcome, format)
    c.endings.set(p.outcome, ending)
  }
  const head = `${p.head}${p.bytesReceived},"bytes_sent":${p.bytesSent}${c.peer}${p.remote}","duration":${p.durationMs}`
  const middle = `${p.request}${p.path}${p.protocol}${p.requestId}${ending}${p.startTime}`
  const { local } = p.outcome
  const after = local ? c.afterTraceLocal : c.afterTrace
  const traced =
    p.traceId !== '' && format === 'recommended'
      ? `${c.beforeTrace}${p.traceId}-${p.spanId}${after}`
      : untraced(c, after, format)
  return `${head}${middle}${traced}${local ? '' : p.serviceTimeMs}${tailOf(c, p, format)}`
}

/** A caller that does not trace has `"traceparent":null`, and the default format has no such key. */
function untraced(c: Connection, after: string, format: LineFormat): string {
  if (format === 'default') return after
  return `${c.beforeTrace.replace('"00-', 'null')}${after.slice('-01"'.length)}`
}

function endingOf(facts: ConnectionFacts, { status, details, flags }: Outcome, format: LineFormat): string {
  const principal = format === 'recommended' ? `,"source_principal":${text(facts.sourceSpiffe)}` : ''
  const routeName = flags === 'NR' ? '' : facts.routeName
  const response = `,"response_code":${status},"response_code_details":"${details}","response_flags":"${flags}","route_name":${text(routeName)}`
  return flat(`","requested_server_name":${text(facts.serverName)}${response}${principal},"start_time":"`)
}

function tailOf(c: Connection, p: LineParts, format: LineFormat): string {
  const known = p.forwardedFor === '' && !p.outcome.local ? c.tails.get(p.agent) : undefined
  if (known !== undefined) return known
  const { certificate, sourceSpiffe, destinationSpiffe } = c.facts
  const chain = `By=${destinationSpiffe};Hash=${certificate?.sha256 ?? ''};Subject=\\"\\";URI=${sourceSpiffe}`
  const forwarded = format === 'default' ? '' : `,"x_forwarded_client_cert":${certificate ? `"${chain}"` : 'null'}`
  const reason = `${p.outcome.local ? '' : '"'},"upstream_transport_failure_reason":null,"user_agent":"${p.agent}"`
  const tail = `${reason}${forwarded},"x_forwarded_for":${text(p.forwardedFor)}}\n`
  if (p.forwardedFor !== '' || p.outcome.local) return tail
  const whole = flat(tail)
  c.tails.set(p.agent, whole)
  return whole
}
