import { PolicyError } from '../../errors.ts'
import type { PolicyDocument } from '../documents.ts'
import { field, optionalRecord, type Reader, requiredString, stringMap } from '../fields.ts'
import { readTierSpec, type TierSpec } from './read-cluster.ts'
import { type NetworkPolicySpec, readNetworkPolicy } from './read-policy.ts'

/** NetworkPolicy, networking.k8s.io/v1. */
export interface NetworkPolicy extends NetworkPolicySpec {
  file: string
  name: string
  namespace: string
  /** The only cluster that it is applied in (annotation `cinch.cluster`); undefined for all. */
  cluster: string | undefined
}

/** A cluster's own policy, of whatever kind. */
export interface TierPolicy extends TierSpec {
  kind: string
  name: string
  cluster: string | undefined
}

export interface NetworkDocuments {
  policies: readonly NetworkPolicy[]
  tiers: readonly TierPolicy[]
}

const TIER_API = /^policy\.networking\.k8s\.io\/(v1alpha1|v1alpha2|v1beta1)$/
const TIER_KINDS = new Set(['ClusterNetworkPolicy', 'AdminNetworkPolicy', 'BaselineAdminNetworkPolicy'])

export function isTierPolicy({ apiVersion, kind }: PolicyDocument): boolean {
  return TIER_API.test(apiVersion) && TIER_KINDS.has(kind)
}

export function isNetworkPolicy({ apiVersion, kind }: PolicyDocument): boolean {
  return apiVersion === 'networking.k8s.io/v1' && kind === 'NetworkPolicy'
}

/** @throws PolicyError `bad_policy`, with the file and what to do */
export function readNetworkPolicies(documents: readonly PolicyDocument[]): NetworkPolicy[] {
  const files = new Map<string, string>()
  return documents.map((document) => {
    const { reader, name, cluster, spec } = readHead(document)
    const namespace = requiredString(document.metadata['namespace'] ?? 'default', field(reader, 'metadata.namespace'))
    once(files, document, cluster, `${namespace}/${name}`)
    return { file: document.file, name, namespace, cluster, ...readNetworkPolicy(spec, reader) }
  })
}

/** @throws PolicyError `bad_policy`, with the file and what to do */
export function readTierPolicies(documents: readonly PolicyDocument[]): TierPolicy[] {
  const files = new Map<string, string>()
  return documents.map((document) => {
    const { reader, name, cluster, spec } = readHead(document)
    const { kind } = document
    once(files, document, cluster, name)
    if (kind === 'BaselineAdminNetworkPolicy' && name !== 'default')
      throw new PolicyError('bad_policy', `${kind} ${name} must be called default; there is one only`, document.file)
    return { kind, name, cluster, ...readTierSpec(kind, spec, reader) }
  })
}

function readHead({ file, kind, metadata, value }: PolicyDocument) {
  const { name: written, annotations } = metadata
  const reader: Reader = { file, at: `${kind} ${typeof written === 'string' ? written : ''}` }
  const name = requiredString(written, field(reader, 'metadata.name'))
  const cluster = stringMap(annotations, field(reader, 'metadata.annotations'))['cinch.cluster']
  const spec = optionalRecord(value['spec'] ?? undefined, field(reader, 'spec')) ?? {}
  return { reader, name, cluster, spec }
}

/** Refuses a second object of the same name: the cluster would keep one of them. */
function once(files: Map<string, string>, { file, kind }: PolicyDocument, cluster: string | undefined, name: string) {
  const key = JSON.stringify([kind, cluster ?? null, name])
  const other = files.get(key)
  if (other !== undefined) {
    const message = `${kind} ${name} is also in ${other}: the later one would replace the other; rename one`
    throw new PolicyError('bad_policy', message, file)
  }
  files.set(key, file)
}
