import { CinchError } from '../../model/errors.ts'

/**
 * A source: a format of telemetry that Cinch reads. One folder with `mapping.sql`, real samples, the facts expected of them
 * and a README, and one entry here.
 */
export interface Source {
  id: string
  aliases: string[]
  title: string
  /** How its bytes are framed: text lines, OTLP requests, or documents of Kubernetes objects. */
  kind: 'lines' | 'otlp' | 'objects'
  /** How a line of this source begins where nothing stands around it; the others take the longer way through `unwrap.sql`. */
  begins?: string
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
    id: 'otlp-traces',
    aliases: [],
    title: 'OpenTelemetry traces (OTLP JSON lines or protobuf)',
    kind: 'otlp',
    tells: 'which service called which, by parent and child spans; method and route, gRPC service and method',
    cannotTell:
      'identities (names are the applications’ own claims), ports, mutual TLS, denials; counts where traces are sampled',
  },
  {
    id: 'kubernetes-objects',
    aliases: [],
    title: 'Kubernetes workloads, services and service accounts (YAML or JSON)',
    kind: 'objects',
    tells: 'labels for selectors, service accounts, how service ports map to workload ports, owners',
    cannotTell: 'requests',
  },
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
