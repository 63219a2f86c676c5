/** Where formats carry what is nobody's business. */
export interface Carried {
  cookie: () => string
  header: () => string
  body: () => string
}

const TIME = '2026-11-24T15:43:06.960Z'

/** For each source, a request of `target` as its program writes it, with secrets in every place that the format has for them. */
export function linesAround(carried: Carried): Record<string, (target: string) => string[]> {
  return {
    nginx: (target) => nginx(target, carried),
    haproxy: (target) => haproxy(target, carried),
    linkerd: (target) => linkerd(target, carried),
    hubble: (target) => [JSON.stringify(flow(target, carried))],
    'kubernetes-audit': (target) => [JSON.stringify(auditEvent(target, carried))],
    'jaeger-json': (target) => [JSON.stringify(trace(target, carried))],
  }
}

function nginx(target: string, { cookie, body }: Carried): string[] {
  const line = { time: 1795534986.9, remote_addr: '10.0.0.1', method: 'GET', path: target, status: 200 }
  return [
    `10.0.0.1 - ${body()} [24/Nov/2026:15:43:06 +0000] "GET ${target} HTTP/1.1" 200 3 "https://x/?t=${body()}" "agent"`,
    JSON.stringify({ ...line, http_cookie: cookie() }),
  ]
}

function haproxy(target: string, { cookie, header }: Carried): string[] {
  const request = `GET ${target.replace('#', '#23')} HTTP/1.1`
  return [
    `10.0.0.1:4000 [24/Nov/2026:15:43:06.960] web orders/o1 0/0/0/0/0 200 52 ${cookie()} - ---- 1/1/0/0/0 0/0 {${header()}} "${request}"`,
  ]
}

function linkerd(target: string, { header }: Carried): string[] {
  const line = { 'client.addr': '10.0.0.1:4000', 'client.id': '-', timestamp: TIME, method: 'GET', uri: target }
  return [
    `10.0.0.1:4000 - - [${TIME}] "GET ${target} HTTP/1.1" 200`,
    JSON.stringify({ ...line, status: 200, authorization: header() }),
  ]
}

function flow(target: string, { cookie, header }: Carried): object {
  const headers = [
    { key: 'Cookie', value: cookie() },
    { key: 'Authorization', value: header() },
  ]
  return {
    flow: {
      time: TIME,
      verdict: 'FORWARDED',
      IP: { source: '10.0.0.1', destination: '10.0.0.2' },
      l4: { TCP: { source_port: 4000, destination_port: 80 } },
      Type: 'L7',
      l7: { type: 'REQUEST', http: { method: 'GET', url: target, headers } },
    },
  }
}

function auditEvent(target: string, { body }: Carried): object {
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    auditID: '16c4f91b-c657-4ea8-acae-69873850d819',
    stage: 'ResponseComplete',
    requestURI: target,
    verb: 'create',
    user: { username: 'alice', extra: { token: [body()] } },
    requestReceivedTimestamp: TIME,
    requestObject: { kind: 'Secret', data: { password: body() } },
    responseObject: { data: { key: body() } },
  }
}

function trace(target: string, { header, body }: Carried): object {
  const traceID = 'b8aa44f34c54ed762f14d3676255b035'
  const span = {
    traceID,
    spanID: '2f14d3676255b035',
    operationName: 'GET',
    startTime: 1_795_534_986_000_000,
    tags: [
      { key: 'http.url', value: target },
      { key: 'http.request.header.authorization', value: header() },
    ],
    logs: [{ fields: [{ key: 'body', value: body() }] }],
    processID: 'p1',
  }
  const process = { serviceName: 'orders', tags: [{ key: 'process.command_args', value: body() }] }
  return { traceID, spans: [span], processes: { p1: process } }
}
