import { FRONTEND, ISSUER, ORDERS, REPORTS, type Recording } from './record.ts'

/** A fact as `expected.jsonl` writes it: what says nothing is left out. */
export type Fact = Record<string, unknown>

/** A line of the recommended JSON log, as far as it is the truth here. */
interface Line {
  start_time: string
  method: string | null
  path: string | null
  original_path: string | null
  authority: string | null
  user_agent: string | null
  response_code: number
  response_flags: string
  response_code_details: string | null
  connection_termination_details: string | null
  bytes_received: number
  bytes_sent: number
  duration: number
  x_forwarded_for: string | null
  request_id: string | null
  upstream_host: string | null
  upstream_local_address: string | null
  upstream_cluster: string | null
  downstream_local_address: string
  downstream_direct_remote_address: string
  certificate_hash: string | null
  certificate_end: string | null
  jwt: { auth_time: number | null }
}

/** What the driver asked for and what came of it, by the request's name; the rest is in the proxy's own line. */
interface Known {
  path?: string
  shape?: string
  flags?: string[]
  more?: Fact
  /** At the callee only. */
  decision?: Fact
}

const POLICY = 'ns[shop]-policy'
const DENIED = { decision: 'denied', decided_by: `${POLICY}[secrets]-rule[0]` }
const WOULD_DENY = { decision: 'would_deny' }
const KNOWN: Record<string, Known> = {
  plain: { path: '/orders/42', shape: '/orders/{int}', flags: ['query'] },
  user: {
    path: '/orders',
    decision: {
      user_issuer: ISSUER,
      user_subject: 'alice',
      user_groups: ['buyers', 'staff'],
      acr: 'urn:mfa',
      amr: ['pwd', 'otp'],
    },
  },
  denied: { path: '/secrets/7', shape: '/secrets/{int}', decision: DENIED },
  would: { path: '/reports/2026-01-31', shape: '/reports/{date}', decision: WOULD_DENY },
  missing: { path: '/missing/page' },
  traced: {
    path: '/orders/42/items',
    shape: '/orders/{int}/items',
    more: { trace_id: '4bf92f3577b34da6a3ce929d0e0e4736', span_id: '00f067aa0ba902b7' },
  },
  forged: { path: '/orders/17', shape: '/orders/{int}', more: { original_path: '/forged' } },
  odd: {
    path: '//a%2Fb;v=1/',
    flags: ['equals', 'encoded_slash', 'double_slash', 'semicolon', 'trailing_slash'],
  },
  method: { path: '/calendar' },
  malformed: {
    path: '/a%00b',
    flags: ['encoded'],
    more: { decision: 'denied', decided_by: 'path_normalization_failed' },
  },
  slow: { path: '/slow', decision: WOULD_DENY },
  socket: { path: '/feed', decision: WOULD_DENY },
  edge: { path: '/orders/7', shape: '/orders/{int}', flags: ['query'] },
  moved: { path: '/new/a', more: { original_path: '/old/a' } },
  nowhere: { path: '/', more: { decision: 'denied', decided_by: 'route_not_found' } },
  retried: { path: '/retried/1', shape: '/retried/{int}', more: { attempt: 2 } },
  down: { path: '/down', more: { attempt: 3 } },
  Get: {
    path: '/shop.Orders/Get',
    more: { protocol: 'grpc', grpc_service: 'shop.Orders', grpc_method: 'Get', grpc_status: 0 },
  },
  Fail: {
    path: '/shop.Orders/Fail',
    more: { protocol: 'grpc', grpc_service: 'shop.Orders', grpc_method: 'Fail', grpc_status: 16 },
  },
}

/** The requests' names in user agents; gRPC calls are told apart by their method. */
function nameOf(line: Line): string {
  const name = /^cinch-record\/(\S+)/.exec(line.user_agent ?? '')?.[1] ?? ''
  return name === 'grpc' ? ((line.path ?? '').split('/').at(-1) ?? '') : name
}

/**
 * The facts that a recording's lines mean, from what the driver did, the scene and the proxies' own JSON logs, for the samples of
 * `source`. Written without looking at its mapping.
 */
export function expectedOf(recording: Recording, source: string): Fact[] {
  return Object.entries(recording.logs).flatMap(([proxy, lines]) => {
    const seen = new Map<string, number>()
    return lines.map((text) => {
      const line = JSON.parse(text) as Line
      const key = line.request_id ?? line.start_time
      const nth = (seen.get(key) ?? 0) + 1
      seen.set(key, nth)
      const same = lines.filter((other) => other.includes(`"${key}"`)).length
      const fact = { ...factOf(proxy, line), ...stageOf(nth, same) }
      return told({ proxy, ...(source === 'envoy-als' ? fact : { ...fact, attempt: undefined }) })
    })
  })
}

/** Of several lines of one request the last is its end. When it starts nobody has decided yet, and nobody was called. */
function stageOf(nth: number, of: number): Fact {
  if (nth === of) return {}
  return nth === 1 ? { stage: 'start', decision: 'undecided', decided_by: undefined } : { stage: 'periodic' }
}

const told = (fact: Fact) =>
  Object.fromEntries(
    Object.entries(fact).filter(
      ([key, value]) => value !== undefined && value !== '' && (value !== 0 || key === 'grpc_status'),
    ),
  )

function factOf(proxy: string, line: Line): Fact {
  const known = KNOWN[nameOf(line)] ?? {}
  const flags = line.response_flags === '-' ? '' : line.response_flags
  const base = {
    time: `${line.start_time.slice(0, 23).replace('T', ' ')}000`,
    protocol: line.method === null ? 'tcp' : 'http',
    method: line.method ?? '',
    path: known.path,
    shape: known.shape ?? known.path,
    path_flags: known.flags ?? [],
    authority: line.authority ?? '',
    user_agent: line.user_agent ?? '',
    status: line.response_code,
    response_flags: flags,
    decision: 'allowed',
    duration_us: line.duration * 1000,
    bytes_in: line.bytes_received,
    bytes_out: line.bytes_sent,
    attempt: line.upstream_host === null ? 0 : 1,
    destination_kind: 'internal',
    mtls: 'unknown',
    ...known.more,
  }
  const fact = told({
    ...base,
    ...(proxy === 'callee' ? calleeOf(line, known) : proxy === 'ingress' ? gatewayOf(line) : callerOf(proxy, line)),
  })
  return known.flags === undefined ? without(fact, 'path_flags') : fact
}

const without = (fact: Fact, key: string) => Object.fromEntries(Object.entries(fact).filter(([name]) => name !== key))

const mapped = (host: string) => `::ffff:${host}`
function ends(address: string): { host: string; port: number } {
  const [host = '', port = ''] = address.split(':')
  return { host: mapped(host), port: Number(port) }
}

/** The service port of each workload port, as the scene has them. */
const SERVICE_PORT: Record<number, number> = { 8080: 80, 9090: 9000, 5432: 5432 }

/** The callee's proxy: it saw the caller's certificate, and the connection that the caller's proxy made. */
function calleeOf(line: Line, known: Known): Fact {
  const local = ends(line.downstream_local_address)
  const remote = ends(line.downstream_direct_remote_address)
  const servicePort = SERVICE_PORT[local.port] ?? 0
  const name = nameOf(line)
  const byReports =
    line.method === null
      ? line.connection_termination_details !== null
      : ['denied', 'would', 'slow', 'socket'].includes(name)
  const source = name === 'edge' ? 'cluster.local/ns/istio-system/sa/ingress' : byReports ? REPORTS : FRONTEND
  const refused = line.connection_termination_details
  return {
    reporter: 'destination',
    enforcement_point: 'sidecar',
    mtls: 'yes',
    tls_version: 'TLSv1.3',
    certificate_hash: line.certificate_hash ?? '',
    certificate_end: line.certificate_end?.slice(0, 19).replace('T', ' '),
    source_evidence: 'verified',
    source_principal: source,
    source_namespace: source.split('/')[2],
    source_address: remote.host,
    source_port: remote.port,
    destination_principal: ORDERS,
    destination_namespace: 'shop',
    destination_workload: 'orders',
    destination_service: 'orders.shop',
    destination_address: local.host,
    service_port: servicePort,
    workload_port: local.port,
    sni: `outbound_.${servicePort}_._.orders.shop.svc.cluster.local`,
    client_address: lastOf(line.x_forwarded_for),
    ...known.decision,
    auth_time: line.jwt.auth_time
      ? new Date(line.jwt.auth_time * 1000).toISOString().slice(0, 19).replace('T', ' ')
      : undefined,
    ...(refused && { decision: 'denied', decided_by: `${POLICY}[db]-rule[0]` }),
  }
}

/** A caller's proxy: it knows its own application, and the connection that it made. */
function callerOf(workload: string, line: Line): Fact {
  const client = line.x_forwarded_for ? mapped(line.x_forwarded_for) : undefined
  if (line.upstream_cluster === null)
    return {
      ...nowhereOf(line),
      ...{ destination_workload: workload, destination_namespace: 'shop' },
      ...{ client_address: client, request_id: line.request_id ?? undefined },
    }
  const own = ends(line.upstream_local_address ?? line.downstream_direct_remote_address)
  return {
    reporter: 'source',
    enforcement_point: 'sidecar',
    source_evidence: 'address',
    source_workload: workload,
    source_namespace: workload === 'reports' ? 'ops' : 'shop',
    source_address: own.host,
    // Without a connection of its own there is none that a callee could have seen.
    source_port: line.upstream_local_address === null ? 0 : own.port,
    client_address: client,
    request_id: line.request_id ?? undefined,
    ...destinationOf(line),
  }
}

/** The gateway: it stands between, and says whom it called. */
function gatewayOf(line: Line): Fact {
  const common = { request_id: line.request_id ?? undefined, client_address: lastOf(line.x_forwarded_for) }
  const itself = { destination_workload: 'ingress', destination_namespace: 'istio-system' }
  if (line.upstream_cluster === null) return { ...nowhereOf(line), ...common, ...itself }
  const remote = ends(line.downstream_direct_remote_address)
  return {
    reporter: 'gateway',
    enforcement_point: 'gateway',
    source_evidence: 'none',
    source_address: remote.host,
    source_port: remote.port,
    ...betweenOf(line),
    ...common,
    ...destinationOf(line),
    ...itself,
    destination_address: ends(line.downstream_local_address).host,
    client_address: remote.host,
  }
}

/** The address that the last proxy before added: those before it are the client's to choose. */
const lastOf = (forwarded: string | null) => (forwarded ? mapped(forwarded.split(',').at(-1)?.trim() ?? '') : undefined)

/** The ends of the two connections that it stands between. */
function betweenOf(line: Line): Fact {
  const listens = ends(line.downstream_local_address)
  const opened = line.upstream_local_address === null ? undefined : ends(line.upstream_local_address)
  return {
    gateway_address: opened?.host ?? listens.host,
    gateway_port: listens.port,
    gateway_upstream_port: opened?.port ?? 0,
    gateway_upstream_address: opened ? ends(line.upstream_host ?? '').host : '',
  }
}

function destinationOf(line: Line): Fact {
  const called = ends(line.upstream_host ?? '')
  return {
    destination_namespace: 'shop',
    destination_service: 'orders.shop',
    destination_address: called.host,
    service_port: Number(line.upstream_cluster?.split('|')[1]),
    workload_port: called.port,
  }
}

/** Answered before a route was chosen: nobody was called. */
function nowhereOf(line: Line): Fact {
  const remote = ends(line.downstream_direct_remote_address)
  return {
    reporter: 'gateway',
    enforcement_point: 'none',
    source_evidence: 'none',
    source_address: remote.host,
    source_port: remote.port,
    ...betweenOf(line),
  }
}
