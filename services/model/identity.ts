import {
  labelsFault,
  type Parsed,
  type PlatformIdentity,
  parseLinkerd,
  parseSpiffeId,
  printLinkerd,
  printSpiffeId,
  refused,
} from './spiffe.ts'

/**
 * Who takes part in a request: what a platform proves (`spiffe`, Linkerd's DNS form `linkerd`), a user of an identity provider, a
 * device, an element between (`gateway`), a host outside, an element of the platform (`infrastructure`), a workload that is known by its
 * name only, or an address when nothing better is known.
 */
export type Identity =
  | ({ kind: 'spiffe' } & PlatformIdentity)
  | ({ kind: 'linkerd'; controlPlane: string } & PlatformIdentity)
  | { kind: 'workload' | 'gateway'; namespace: string; name: string }
  | { kind: 'user'; issuer: string; subject: string }
  | { kind: 'device' | 'infrastructure'; name: string }
  | { kind: 'external'; host: string }
  | { kind: 'address'; address: string }

/** Bytes of a subject (OpenID Connect Core, section 2: `sub`), and of the names that inventories give. */
const SUBJECT_BYTES_MAX = 255
const NAME_BYTES_MAX = 253

/**
 * Reads an identity from its canonical text, or from what platforms write for it (a principal as Istio writes it, without a scheme,
 * Linkerd's DNS form). `printIdentity` of what was read is canonical.
 */
export function parseIdentity(text: string): Parsed<Identity> {
  if (/^spiffe:/i.test(text)) return mapped(parseSpiffeId(text), (value) => ({ kind: 'spiffe', ...value }))
  const [, scheme = '', rest = ''] = /^([a-z]+):(.*)$/s.exec(text) ?? []
  if (scheme === 'external') return mapped(parseHost(rest), (host) => ({ kind: 'external', host }))
  if (scheme === 'address') return mapped(parseAddress(rest), (address) => ({ kind: 'address', address }))
  if (scheme === 'user') return parseUser(rest)
  if (scheme === 'device' || scheme === 'infrastructure')
    return mapped(parseName(rest), (name) => ({ kind: scheme, name }))
  if (scheme === 'gateway') return parseWorkload('gateway', rest)
  if (scheme !== '') return refused(`no kind of identity is called ${scheme}`)
  if (/\.serviceaccount\.identity\./i.test(text))
    return mapped(parseLinkerd(text), (value) => ({ kind: 'linkerd', ...value }))
  // Two segments are a workload's name; more are a principal without its scheme.
  return text.split('/').length > 2 ? parseIdentity(`spiffe://${text}`) : parseWorkload('workload', text)
}

/** Canonical text: equal for equal identities, and for no others. Node ids of the graph are these. */
export function printIdentity(identity: Identity): string {
  switch (identity.kind) {
    case 'spiffe':
      return printSpiffeId(identity)
    case 'linkerd':
      return printLinkerd(identity)
    case 'workload':
      return workloadId(identity.namespace, identity.name)
    case 'gateway':
      return `gateway:${workloadId(identity.namespace, identity.name)}`
    case 'user':
      return `user:${encodeURIComponent(identity.issuer)}/${encodeURIComponent(identity.subject)}`
    case 'device':
    case 'infrastructure':
      return `${identity.kind}:${encodeURIComponent(identity.name)}`
    case 'external':
      return `external:${identity.host}`
    case 'address':
      return `address:${identity.address}`
  }
}

/** Orders identities by their canonical text; 0 for equal ones. */
export function compareIdentities(a: Identity, b: Identity): number {
  const [left, right] = [printIdentity(a), printIdentity(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

function mapped<T, U>(parsed: Parsed<T>, map: (value: T) => U): Parsed<U> {
  return parsed.ok ? { ok: true, value: map(parsed.value) } : parsed
}

function parseWorkload(kind: 'workload' | 'gateway', text: string): Parsed<Identity> {
  const parts = text.split('/')
  if (parts.length > 2) return refused('a workload is namespace/name')
  const [namespace, name] = parts.length === 2 ? [parts[0] ?? '', parts[1] ?? ''] : ['', text]
  const fault = labelsFault(name) ?? (parts.length === 2 ? labelsFault(namespace) : undefined)
  return fault === undefined ? { ok: true, value: { kind, namespace, name } } : refused(fault)
}

/** `issuer/subject`, each percent-encoded; both are case-sensitive (RFC 7519, sections 4.1.1 and 4.1.2). */
function parseUser(text: string): Parsed<Identity> {
  const parts = text.split('/')
  if (parts.length !== 2) return refused('a user is issuer/subject, each percent-encoded')
  const issuer = parts[0] === '' ? ({ ok: true, value: '' } as const) : parseName(parts[0] ?? '', 2048)
  if (!issuer.ok) return issuer
  return mapped(parseName(parts[1] ?? '', SUBJECT_BYTES_MAX), (subject) => ({
    kind: 'user',
    issuer: issuer.value,
    subject,
  }))
}

function parseName(text: string, bytesMax = NAME_BYTES_MAX): Parsed<string> {
  let name: string
  try {
    name = decodeURIComponent(text)
  } catch {
    return refused('a broken percent-encoding')
  }
  if (name === '') return refused('no name')
  if (new TextEncoder().encode(name).length > bytesMax) return refused(`a name is of ${bytesMax} bytes at most`)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  return /[\u0000-\u001f\u007f]/.test(name) ? refused('a name has no control characters') : { ok: true, value: name }
}

/** A DNS name in lower case, without its last dot. */
function parseHost(text: string): Parsed<string> {
  const host = text.toLowerCase().replace(/\.$/, '')
  const fault = labelsFault(host)
  return fault === undefined ? { ok: true, value: host } : refused(fault)
}

/** IPv4 in dotted decimals, or IPv6 in RFC 5952's form; one that is mapped to IPv6 is the IPv4 address. */
function parseAddress(text: string): Parsed<string> {
  const plain = text.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '')
  if (/^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(plain) && !/(^|\.)0\d/.test(plain))
    return { ok: true, value: plain }
  if (!/^[0-9a-f:.]+$/.test(plain) || !plain.includes(':')) return refused('neither an IPv4 nor an IPv6 address')
  try {
    return { ok: true, value: new URL(`http://[${plain}]/`).hostname.slice(1, -1) }
  } catch {
    return refused('neither an IPv4 nor an IPv6 address')
  }
}

/**
 * Principals that several clusters' workloads have: clusters whose trust domain is the same (`cluster.local` unless told otherwise)
 * make one principal of two workloads, and a policy that allows the one allows the other.
 */
export function sharedPrincipals(
  seen: Iterable<{ principal: string; cluster: string }>,
): { principal: string; clusters: string[] }[] {
  const clusters = new Map<string, Set<string>>()
  for (const { principal, cluster } of seen)
    if (principal !== '' && cluster !== '') clusters.set(principal, (clusters.get(principal) ?? new Set()).add(cluster))
  return [...clusters]
    .filter(([, names]) => names.size > 1)
    .map(([principal, names]) => ({ principal, clusters: [...names].sort() }))
    .sort((a, b) => (a.principal < b.principal ? -1 : 1))
}

/** A workload's SPIFFE identity in Istio's form, `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`. */
export interface WorkloadIdentity {
  trustDomain: string
  namespace: string
  serviceAccount: string
}

/**
 * Reads a principal as Istio writes it, without `spiffe://` (Istio security/v1, Source.principals; SPIFFE-ID section 2).
 * Other platforms' forms give undefined: they are identities, but not of this shape.
 */
export function parsePrincipal(principal: string): WorkloadIdentity | undefined {
  const parsed = parseSpiffeId(`spiffe://${principal}`)
  // A policy compares texts: a principal that is not canonical is none.
  if (!parsed.ok || parsed.value.serviceAccount === '' || printSpiffeId(parsed.value) !== `spiffe://${principal}`)
    return undefined
  const { trustDomain, namespace, serviceAccount } = parsed.value
  return { trustDomain, namespace, serviceAccount }
}

/** Node id of a workload. Without the cluster: a namespace's name means the same in every cluster of a mesh (namespace sameness). */
export const workloadId = (namespace: string, workload: string) =>
  namespace === '' ? workload : `${namespace}/${workload}`

/** Node id of an identity that no inventory gives a workload for. */
export const principalId = (principal: string) => `spiffe://${principal}`
