import type { EgressNamespace, EgressUse } from '../../../services/model/egress.ts'
import { quoted, type Window } from '../../grants/comments.ts'
import { kubernetesName } from '../../grants/names.ts'
import type { Loss } from '../target.ts'
import { metadataOf, ROOT_NAMESPACE } from './resources.ts'

/** A port that is TLS unless a proxy read HTTP there. */
const TLS_PORT = 443
const HTTP = new Set(['HTTP', 'GRPC'])
const API = 'networking.istio.io/v1'

interface Written {
  path: string
  documents: unknown[]
  comment: string[]
}

/**
 * What a namespace may call outside of the mesh: an entry for each host, which only this namespace sees, and a Sidecar by which its
 * proxies know nothing else. A star is never written: the hosts are those that were seen.
 */
export function egressFiles(egress: EgressNamespace, clustered: boolean, window: Window): Written[] {
  const { namespace, uses, quietDays } = egress
  if (uses.length === 0 && quietDays === undefined) return []
  const byHost = Map.groupBy(uses, ({ host }) => host)
  const entries = [...byHost].map(([host, ports]) => serviceEntry(egress, host, ports, clustered))
  const comment = [
    `${quoted(namespace)}, outbound, observed from ${window.since} to ${window.until}`,
    ...uses.map(evidenceLine),
  ]
  const file = `${namespace}.yaml`
  return [
    { path: `1-egress/${file}`, documents: entries, comment },
    // There it would hold for every namespace that has none of its own.
    {
      path: `5-registry-only/${file}`,
      documents: isRoot(egress) ? [] : [sidecar(egress, byHost.keys(), clustered)],
      comment:
        quietDays === undefined
          ? []
          : [`${quoted(namespace)}, outbound: nothing on ${quietDays} days, ${window.since} to ${window.until}`],
    },
  ]
}

export function egressLoss(egress: EgressNamespace): Loss[] {
  const { namespace, uses, refused, reaches, gateway, quietDays } = egress
  const of = (use: EgressUse | null, kind: string, done: Loss['done'], detail: string): Loss => ({
    ...{
      kind,
      done,
      detail,
      callee: use ? `external:${use.host}` : namespace,
      caller: use ? use.callers.join(', ') : '',
    },
    ...{ port: use?.port ?? 0, method: '', path: '', requests: use?.requests ?? 0 },
  })
  const around = gateway ? [] : uses.map((use) => of(use, 'egress_around', 'noted', AROUND))
  const isTcp = (use: EgressUse) => protocolOf(use) === 'TCP'
  return [
    ...refused.map(({ use, reason }) => of(use, 'egress_host', 'refused', reason)),
    ...around,
    ...uses.filter(isTcp).map((use) => of(use, 'egress_tcp', 'noted', PLAIN_TCP)),
    ...(quietDays === undefined || isRoot(egress) ? [] : [of(null, 'egress_none', 'noted', quietText(quietDays))]),
    ...(reaches === null && !isRoot(egress) ? [of(null, 'egress_namespaces', 'widened', UNKNOWN_NAMESPACE)] : []),
    ...(isRoot(egress) ? [of(null, 'egress_root', 'widened', IN_ROOT)] : []),
  ]
}

const quietText = (days: number) =>
  `on ${days} days its proxies told of calls, and of none to the outside: nothing is let out, neither what is called more seldom nor what its logs leave out`
const AROUND = 'it passed no egress gateway: its own proxy, which it can go around, is all that keeps it to this host'
const PLAIN_TCP = 'plain TCP names no host: what is sent to the port, whatever the address, goes to this host'
const UNKNOWN_NAMESPACE = 'the namespace of a callee is not known: Services of all namespaces can be called'
const IN_ROOT = `a Sidecar in ${ROOT_NAMESPACE} would hold for all namespaces: none is written there`

const isRoot = ({ namespace }: EgressNamespace): boolean => namespace === ROOT_NAMESPACE

function serviceEntry(egress: EgressNamespace, host: string, uses: readonly EgressUse[], clustered: boolean): unknown {
  // One port has one protocol: where HTTP was read, that.
  const ports = new Map<number, string>()
  for (const use of uses) if (!HTTP.has(ports.get(use.port) ?? '')) ports.set(use.port, protocolOf(use))
  return {
    apiVersion: API,
    kind: 'ServiceEntry',
    metadata: metadataOf(`cinch-egress-${kubernetesName(host)}`, egress, clustered),
    spec: {
      hosts: [host],
      exportTo: ['.'],
      location: 'MESH_EXTERNAL',
      resolution: 'DNS',
      ports: [...ports].map(([number, protocol]) => ({
        number,
        name: `${protocol.toLowerCase()}-${number}`,
        protocol,
      })),
    },
  }
}

function protocolOf({ protocol, port }: EgressUse): 'HTTP' | 'GRPC' | 'TLS' | 'TCP' {
  if (protocol === 'http') return 'HTTP'
  if (protocol === 'grpc') return 'GRPC'
  return port === TLS_PORT ? 'TLS' : 'TCP'
}

function sidecar(egress: EgressNamespace, hosts: Iterable<string>, clustered: boolean): unknown {
  const { reaches, namespace } = egress
  const others = reaches
    ? [...new Set([...reaches, ROOT_NAMESPACE])].filter((name) => name !== namespace).sort()
    : ['*']
  const inside = ['.', ...others].map((name) => `${name}/*.svc.cluster.local`)
  return {
    apiVersion: API,
    kind: 'Sidecar',
    metadata: metadataOf('cinch-egress', egress, clustered),
    spec: {
      outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' },
      egress: [{ hosts: [...inside, ...[...hosts].map((host) => `./${host}`)] }],
    },
  }
}

function evidenceLine({ host, port, callers, requests, days, firstSeen, lastSeen }: EgressUse): string {
  const who = callers.map(quoted).join(', ')
  return `${quoted(host)}:${port}, called by ${who}: ${requests} requests on ${days} days, ${firstSeen} to ${lastSeen}`
}
