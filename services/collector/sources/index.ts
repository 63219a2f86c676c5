import { CinchError } from '../../model/errors.ts'
import { DIRECTORY_SOURCES } from './directory.ts'

/**
 * A source: a format of telemetry that Cinch reads. One folder with `mapping.sql`, real samples, the facts expected of them
 * and a README, and one entry here.
 */
export interface Source {
  id: string
  aliases: string[]
  title: string
  /** How its bytes are framed: text lines, OTLP requests, metrics (lines or protobuf), JSON documents of spans, or documents of Kubernetes objects. */
  kind: 'lines' | 'otlp' | 'metrics' | 'spans' | 'objects'
  /** What its mapping yields, where it is neither an Envoy-like line's fields (`common/envoy.sql`) nor OTLP: see `statements/`. */
  yields?: 'facts' | 'spans' | 'directory'
  /** How a line of this source begins where nothing stands around it; the others take the longer way through `unwrap.sql`. */
  begins?: string
  /** The same for sources that yield facts, as a regular expression (RE2) that no shipper's object matches. */
  plain?: string
  /** Containers (RE2) whose lines are taken where a shipper names the container; any proxy's where nothing is said. */
  containers?: string
  tells: string
  cannotTell: string
}

export const SOURCES: Source[] = [
  {
    id: 'istio-json',
    aliases: ['envoy-json'],
    title: 'Envoy and Istio access log, JSON',
    kind: 'lines',
    begins: '{',
    tells:
      'every request: callee, method, path, status, ports; in the recommended format also both principals, TLS, trace, user and RBAC results',
    cannotTell:
      "in Istio's default format: who called (only an address), and the path where a client set x-envoy-original-path",
  },
  {
    id: 'istio-text',
    aliases: [],
    title: 'Istio access log, default text',
    kind: 'lines',
    begins: '[',
    tells: 'every request: callee, method, path, status, ports',
    cannotTell: 'who called (only an address), users, TLS, traces',
  },
  {
    id: 'envoy-text',
    aliases: [],
    title: 'Envoy access log, default text',
    kind: 'lines',
    begins: '[',
    tells: 'requests: authority, method, path, status, upstream address',
    cannotTell: 'who called, which service was meant, whether it was refused by policy, users, TLS, traces',
  },
  {
    id: 'ztunnel',
    aliases: ['istio-ambient'],
    title: 'ztunnel access log (Istio ambient), text or JSON',
    kind: 'lines',
    yields: 'facts',
    plain: '^[0-9TZ:.+-]+[[:space:]]+[a-z]+[[:space:]]+access[[:space:]]',
    containers: 'proxy|ztunnel',
    tells:
      'every connection: both workloads and both identities, proven by mutual TLS; ports, bytes, refusals with the policy',
    cannotTell: 'methods and paths, users, which requests a connection carried; each connection is told by both nodes',
  },
  {
    id: 'nginx',
    aliases: ['nginx-json'],
    title: 'NGINX access log: combined, or the recommended JSON (HTTP and stream)',
    kind: 'lines',
    yields: 'facts',
    plain: '^[{]"time":[0-9.]+,"remote_addr":|^[0-9a-fA-F:.]+ - |^unix: - ',
    containers: 'nginx|proxy|ingress|gateway|controller',
    tells:
      'every request: client address, method, path, status; in the recommended JSON also the upstream, ports, TLS and the verified client certificate',
    cannotTell:
      'in combined: which service was called, on which port, who refused; never: users, SPIFFE identities, gRPC status',
  },
  {
    id: 'haproxy',
    aliases: [],
    title: 'HAProxy log: httplog, httpslog, tcplog',
    kind: 'lines',
    yields: 'facts',
    plain: '^[0-9a-fA-F:.]+:[0-9]+ [[]|^unix:[0-9]+ [[]',
    containers: 'haproxy|proxy|ingress|gateway|controller',
    tells:
      'every request or connection: client address, backend, method, path, status, how the session ended, what HAProxy refused',
    cannotTell: 'who called, the authority, the server’s address and port, users, client certificates, user agents',
  },
  {
    id: 'linkerd',
    aliases: [],
    title: 'Linkerd proxy: access log (apache or JSON) and policy decisions',
    kind: 'lines',
    yields: 'facts',
    plain: '^[{]"client[.]addr":|^[0-9a-fA-F:.]+:[0-9]+ [^ ]+ - [[]|^[[][0-9a-fA-F:.]+[]]:[0-9]+ [^ ]+ - [[]',
    tells:
      'every request at the callee: the caller’s identity, proven by mutual TLS; method, path, status; which server and route refused',
    cannotTell: 'the callee, unless a shipper names the pod; ports; users; method and path of a refusal',
  },
  {
    id: 'hubble',
    aliases: ['cilium'],
    title: 'Cilium Hubble flows, JSON',
    kind: 'lines',
    yields: 'facts',
    plain: '^[{]"flow":',
    containers: 'cilium|hubble|export',
    tells:
      'new connections between pods and to names outside, L7 requests where Cilium reads them, verdicts with the policy',
    cannotTell:
      'identities proven by certificates, status codes, users; counts, for several points report one connection',
  },
  {
    id: 'kubernetes-audit',
    aliases: ['k8s-audit'],
    title: 'Kubernetes API server audit log (audit.k8s.io/v1, JSON lines)',
    kind: 'lines',
    yields: 'facts',
    plain: '^[{]"kind":"Event",',
    containers: 'apiserver|audit|proxy',
    tells:
      'every request to the API: who (user, groups, service account), verb and resource, decision and the binding that allowed it',
    cannotTell: 'traffic between workloads, TLS, bytes; what the audit policy leaves out',
  },
  {
    id: 'envoy-als',
    aliases: [],
    title: 'Envoy access log service (gRPC), HTTP and TCP entries',
    kind: 'otlp',
    tells:
      'every request and connection: both principals as the certificates prove them, callee, method, path, status, ports, users and RBAC results; whether it began, runs or ended',
    cannotTell:
      'without custom tags and headers: certificate hash and end, the cluster of refused requests, unusual methods, gRPC status, traces',
  },
  {
    id: 'otlp-logs',
    aliases: [],
    title: 'OpenTelemetry logs: Envoy and Istio access logs (OTLP JSON lines or protobuf)',
    kind: 'otlp',
    tells:
      'what the access log in the records tells (text, JSON, or a key each), and the workload where the resource names it',
    cannotTell: "in Istio's default text: who called; of applications' own logs nothing: they are no requests",
  },
  {
    id: 'otlp-traces',
    aliases: [],
    title: 'OpenTelemetry traces (OTLP JSON lines or protobuf)',
    kind: 'otlp',
    tells: 'which service called which, by parent and child spans; method and route, gRPC service and method',
    cannotTell:
      'identities (names are the applications’ own claims), ports, mutual TLS, denials; counts where traces are sampled',
  },
  {
    id: 'istio-metrics',
    aliases: ['linkerd-metrics'],
    title: 'Request counters of Istio and Linkerd (Prometheus scrape or remote write)',
    kind: 'metrics',
    tells:
      'how many requests and connections went from which workload to which, by status: what access logs are held against',
    cannotTell:
      'methods, paths, users, single requests; who called is a claim, since applications can write into the same page',
  },
  {
    id: 'otlp-metrics',
    aliases: [],
    title: 'OpenTelemetry metrics: the same counters, and HTTP durations of applications',
    kind: 'metrics',
    tells: 'how many requests an application answered or sent, by status',
    cannotTell:
      'methods and paths for policies, identities (names are the applications’ own claims), callers of a server',
  },
  {
    id: 'jaeger-json',
    aliases: ['jaeger', 'tempo-json'],
    title: 'Traces as the query APIs of Jaeger and Tempo give them (JSON)',
    kind: 'spans',
    yields: 'spans',
    tells:
      'which service called which, by parent and child spans; method and route; of Istio’s spans also the workload and the namespace',
    cannotTell: 'identities, ports, mutual TLS, denials; counts, for a query returns a selection of traces',
  },
  {
    id: 'kubernetes-objects',
    aliases: [],
    title: 'Kubernetes workloads, services and service accounts (YAML or JSON)',
    kind: 'objects',
    tells:
      'labels for selectors, service accounts, how service ports map to workload ports, owners, which addresses are whose',
    cannotTell: 'requests',
  },
  ...DIRECTORY_SOURCES,
]

/**
 * The source with this id or alias.
 * @throws CinchError `unknown_source`
 */
export function findSource(id: string): Source {
  const source = SOURCES.find((candidate) => candidate.id === id || candidate.aliases.includes(id))
  if (!source) {
    throw new CinchError(
      'unknown_source',
      `there is no source '${id}'`,
      `give one of ${SOURCES.map((known) => known.id).join(', ')}`,
    )
  }
  return source
}
