/*
 * SPIFFE IDs (SPIFFE-ID standard, section 2) and what platforms write into their paths. Everything that names a workload in
 * this project goes through here, so that two writings of one identity are one, and what is none is refused with the reason.
 */

/** Bytes; SPIFFE-ID sections 2.1 and 2.3. */
const TRUST_DOMAIN_BYTES_MAX = 255
const SPIFFE_ID_BYTES_MAX = 2048
/** Bytes of a DNS name without its last dot (RFC 1035, section 2.3.4). */
const DNS_NAME_BYTES_MAX = 253

export type Platform = 'istio' | 'consul' | 'kuma' | 'linkerd' | 'gke' | 'spire' | 'cilium' | 'other'

/**
 * An identity that a platform proves with a certificate. `path` begins with a slash, or is empty for a trust domain itself. What the
 * platform's form does not tell is empty.
 */
export interface PlatformIdentity {
  trustDomain: string
  path: string
  platform: Platform
  namespace: string
  serviceAccount: string
  /** Consul's and Kuma's services, which have names of their own. */
  service: string
  /** Consul's datacenter and admin partition. */
  datacenter: string
  partition: string
  /** Of the platform itself (agents, servers, gateways), not of an application. */
  role: 'workload' | 'gateway' | 'infrastructure'
}

/** What was read, or why it is none. */
export type Parsed<T> = { ok: true; value: T } | { ok: false; reason: string }

export const refused = (reason: string): { ok: false; reason: string } => ({ ok: false, reason })

/**
 * Reads a SPIFFE ID with its scheme. Scheme and trust domain may come in upper case (section 2: they are case-insensitive); the path
 * is kept as it is.
 */
export function parseSpiffeId(text: string): Parsed<PlatformIdentity> {
  if (text.length > SPIFFE_ID_BYTES_MAX) return refused(`longer than ${SPIFFE_ID_BYTES_MAX} bytes`)
  const match = /^spiffe:\/\/([^/]*)(.*)$/is.exec(text)
  if (!match) return refused('no spiffe:// scheme')
  const [, authority = '', path = ''] = match
  const trustDomain = authority.toLowerCase()
  const reason = trustDomainFault(trustDomain) ?? pathFault(path)
  return reason === undefined
    ? { ok: true, value: { ...ofPath(trustDomain, path), trustDomain, path } }
    : refused(reason)
}

function trustDomainFault(name: string): string | undefined {
  if (name === '') return 'no trust domain'
  if (/[@:]/.test(name)) return 'a trust domain has neither user nor port'
  if (!/^[a-z0-9._-]+$/.test(name)) return 'a trust domain is of letters, digits, dots, dashes and underscores'
  if (name.length > TRUST_DOMAIN_BYTES_MAX) return `a trust domain is of ${TRUST_DOMAIN_BYTES_MAX} bytes at most`
  return undefined
}

function pathFault(path: string): string | undefined {
  if (path === '') return undefined
  if (/[?#]/.test(path)) return 'a SPIFFE ID has neither query nor fragment'
  if (path.endsWith('/')) return 'a path does not end in a slash'
  const segments = path.slice(1).split('/')
  if (segments.includes('')) return 'a path has no empty segments'
  if (segments.some((segment) => segment === '.' || segment === '..')) return 'a path has no dot segments'
  if (!segments.every((segment) => /^[A-Za-z0-9._-]+$/.test(segment)))
    return 'a path is of letters, digits, dots, dashes and underscores'
  return undefined
}

const UNTOLD = {
  namespace: '',
  serviceAccount: '',
  service: '',
  datacenter: '',
  partition: '',
  role: 'workload',
} as const
type Told = Omit<PlatformIdentity, 'trustDomain' | 'path'>

/** What the platforms' forms say, most special first: the same path may be another platform's under another trust domain. */
const FORMS: { of: RegExp; read: (match: string[], trustDomain: string) => Told }[] = [
  // SPIRE reserves /spire for itself (SPIFFE-ID section 2.2 leaves paths to their issuer).
  { of: /^\/spire\//, read: () => ({ ...UNTOLD, platform: 'spire', role: 'infrastructure' }) },
  {
    of: /^\/ns\/([^/]+)\/sa\/([^/]+)$/,
    read: ([, namespace = '', serviceAccount = ''], trustDomain) => ({
      ...UNTOLD,
      platform: platformOfAccount(trustDomain),
      namespace,
      serviceAccount,
    }),
  },
  // Consul agent/connect: SpiffeIDService, SpiffeIDMeshGateway, SpiffeIDAgent, SpiffeIDServer.
  {
    of: /^(?:\/ap\/([^/]+))?\/ns\/([^/]+)\/dc\/([^/]+)\/svc\/([^/]+)$/,
    read: ([, partition = '', namespace = '', datacenter = '', service = '']) => ({
      ...UNTOLD,
      platform: 'consul',
      // `default` is what an absent partition is.
      partition: partition === 'default' ? '' : partition,
      namespace,
      datacenter,
      service,
    }),
  },
  {
    of: /^(?:\/ap\/([^/]+))?\/gateway\/mesh\/dc\/([^/]+)$/,
    read: ([, partition = '', datacenter = '']) => ({
      ...UNTOLD,
      platform: 'consul',
      partition,
      datacenter,
      role: 'gateway',
    }),
  },
  {
    of: /^(?:\/ap\/([^/]+))?\/agent\/(?:client|server)\/dc\/([^/]+)(?:\/id\/[^/]+)?$/,
    read: ([, partition = '', datacenter = '']) => ({
      ...UNTOLD,
      platform: 'consul',
      partition,
      datacenter,
      role: 'infrastructure',
    }),
  },
  { of: /^\/identity\/[0-9]+$/, read: () => ({ ...UNTOLD, platform: 'cilium' }) },
]

/** GKE's pools of workload identity; Kuma's MeshIdentity ends its trust domains so; else it is as Istio writes it, and SPIRE's controller too. */
function platformOfAccount(trustDomain: string): Platform {
  if (/(^|\.)svc\.id\.goog$|\.workload\.id\.goog$/.test(trustDomain)) return 'gke'
  return trustDomain.endsWith('.mesh.local') ? 'kuma' : 'istio'
}

function ofPath(trustDomain: string, path: string): Told {
  for (const { of, read } of FORMS) {
    const match = of.exec(path)
    if (match) return read(match, trustDomain)
  }
  // Kuma's own certificates: the mesh is the trust domain, a service the path (app.kubernetes.io style names with `_svc_`).
  const kuma = /^\/([^/]+_svc(?:_[0-9]+)?)$/.exec(path)
  if (kuma) return { ...UNTOLD, platform: 'kuma', service: kuma[1] ?? '', ...kumaService(kuma[1] ?? '') }
  return { ...UNTOLD, platform: 'other' }
}

/** `name_namespace_svc_port`, as Kuma names the services of Kubernetes. */
function kumaService(service: string): { namespace: string } {
  return { namespace: /^[^_]+_([^_]+)_svc/.exec(service)?.[1] ?? '' }
}

/** Canonical text. */
export const printSpiffeId = ({ trustDomain, path }: Pick<PlatformIdentity, 'trustDomain' | 'path'>) =>
  `spiffe://${trustDomain}${path}`

/**
 * Reads Linkerd's DNS form, `<account>.<namespace>.serviceaccount.identity.<control plane's namespace>.<trust domain>`. Its path
 * is that of the same account elsewhere; `printLinkerd` gives the DNS form back.
 */
export function parseLinkerd(text: string): Parsed<PlatformIdentity & { controlPlane: string }> {
  const name = text.toLowerCase().replace(/\.$/, '')
  if (name.length > DNS_NAME_BYTES_MAX) return refused(`a DNS name is of ${DNS_NAME_BYTES_MAX} bytes at most`)
  // A service account's name may have dots; a namespace may not (RFC 1123 label).
  const match = /^(.+)\.([a-z0-9-]+)\.serviceaccount\.identity\.([a-z0-9-]+)\.(.+)$/.exec(name)
  if (!match) return refused('not of the form <account>.<namespace>.serviceaccount.identity.<namespace>.<trust domain>')
  const [, serviceAccount = '', namespace = '', controlPlane = '', trustDomain = ''] = match
  const path = `/ns/${namespace}/sa/${serviceAccount}`
  const reason = trustDomainFault(trustDomain) ?? pathFault(path) ?? labelsFault(name)
  if (reason !== undefined) return refused(reason)
  return {
    ok: true,
    value: { ...UNTOLD, platform: 'linkerd', trustDomain, path, namespace, serviceAccount, controlPlane },
  }
}

export const printLinkerd = (identity: PlatformIdentity & { controlPlane: string }) =>
  `${identity.serviceAccount}.${identity.namespace}.serviceaccount.identity.${identity.controlPlane}.${identity.trustDomain}`

/** Why a text is no DNS name, label by label; underscores are taken, for hosts of internal names have them. */
export function labelsFault(name: string): string | undefined {
  if (name === '') return 'no name'
  if (name.length > DNS_NAME_BYTES_MAX) return `a DNS name is of ${DNS_NAME_BYTES_MAX} bytes at most`
  const labels = name.split('.')
  if (labels.some((label) => label === '' || label.length > 63)) return 'a label of a DNS name is of 1 to 63 bytes'
  return labels.every((label) => /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/.test(label))
    ? undefined
    : 'a label of a DNS name is of letters, digits, dashes and underscores'
}
