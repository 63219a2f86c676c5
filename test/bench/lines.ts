import { closeSync, openSync, writeSync } from 'node:fs'

/** Edges of the synthetic mesh: what design.md's figure of the graph is measured on. */
export const EDGES = 2400
const SERVICES = 300
const DAY_MS = 86_400_000
const START = Date.UTC(2026, 10, 20)
const LINES_PER_WRITE = 2000

/** A small linear congruential generator (Numerical Recipes): the lines are the same in every run. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/**
 * Lines of the recommended JSON format, about 1.1 kB each, over 2,400 edges: the same for the same seed.
 * @returns gives the next line, of a request at this time in milliseconds since 1970
 */
export function createLines(seed: number): (timeMs: number) => string {
  const next = random(seed)
  const hex = (length: number) =>
    Array.from({ length: length / 8 }, () =>
      Math.floor(next() * 2 ** 32)
        .toString(16)
        .padStart(8, '0'),
    ).join('')
  return (timeMs) => line(timeMs, next, hex)
}

/** Writes `count` lines of a day. */
export function writeLines(path: string, count: number): void {
  const file = openSync(path, 'w')
  const nextLine = createLines(12345)
  let lines: string[] = []
  for (let index = 0; index < count; index++) {
    lines.push(nextLine(START + Math.floor((index / count) * DAY_MS)))
    if (lines.length < LINES_PER_WRITE && index < count - 1) continue
    writeSync(file, `${lines.join('\n')}\n`)
    lines = []
  }
  closeSync(file)
}

function line(timeMs: number, next: () => number, hex: (length: number) => string): string {
  const edge = Math.floor(next() * EDGES)
  const source = edge % SERVICES
  const callee = Math.floor(edge / 8)
  const calleeAddress = `10.1.${callee >> 8}.${callee & 255}:8080`
  const port = () => 30_000 + Math.floor(next() * 30_000)
  const id = hex(32)
  return JSON.stringify({
    start_time: new Date(timeMs).toISOString(),
    route_name: 'default',
    method: next() < 0.7 ? 'GET' : 'POST',
    path: `/api/v1/resource${edge % 7}/${Math.floor(next() * 100_000)}${next() < 0.3 ? '?page=2&q=abc' : ''}`,
    protocol: 'HTTP/1.1',
    response_code: 200,
    response_flags: '-',
    response_code_details: 'via_upstream',
    connection_termination_details: null,
    bytes_received: Math.floor(next() * 500),
    bytes_sent: Math.floor(next() * 5000),
    duration: Math.floor(next() * 100),
    upstream_service_time: String(Math.floor(next() * 100)),
    x_forwarded_for: null,
    user_agent: 'Go-http-client/1.1',
    request_id: `${id.slice(0, 8)}-${id.slice(8, 12)}-4${id.slice(13, 16)}-a${id.slice(17, 20)}-${id.slice(20)}`,
    authority: `svc${callee}.ns${callee % 10}:80`,
    upstream_host: calleeAddress,
    upstream_cluster: 'inbound|8080||',
    upstream_local_address: `127.0.0.6:${port()}`,
    downstream_local_address: calleeAddress,
    downstream_remote_address: `10.2.${source >> 8}.${source & 255}:${port()}`,
    requested_server_name: `outbound_.80_._.svc${callee}.ns${callee % 10}.svc.cluster.local`,
    upstream_transport_failure_reason: null,
    original_path: null,
    source_principal: `spiffe://cluster.local/ns/ns${source % 10}/sa/svc${source}`,
    destination_principal: `spiffe://cluster.local/ns/ns${callee % 10}/sa/svc${callee}`,
    x_forwarded_client_cert: null,
    traceparent: `00-${hex(32)}-${hex(16)}-01`,
    tls_version: 'TLSv1.3',
    certificate_hash: null,
    certificate_end: null,
    grpc_status: null,
    downstream_direct_remote_address: null,
    jwt: null,
    rbac: null,
  })
}
