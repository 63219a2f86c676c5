import { PolicyError } from '../../errors.ts'
import type { PolicyDocument } from '../documents.ts'
import { field, optionalRecord, type Reader, requiredString, stringMap } from '../fields.ts'
import { type NetworkPolicySpec, readNetworkPolicy } from './read-policy.ts'

/** NetworkPolicy, networking.k8s.io/v1. */
export interface NetworkPolicy extends NetworkPolicySpec {
  name: string
  namespace: string
  /** The only cluster that it is applied in (annotation `cinch.cluster`); undefined for all. */
  cluster: string | undefined
}

export function isNetworkPolicy({ apiVersion, kind }: PolicyDocument): boolean {
  return apiVersion === 'networking.k8s.io/v1' && kind === 'NetworkPolicy'
}

/** @throws PolicyError `bad_policy`, with the file and what to do */
export function readNetworkPolicies(documents: readonly PolicyDocument[]): NetworkPolicy[] {
  const files = new Map<string, string>()
  return documents.map(({ file, metadata, value }) => {
    const { name: written, namespace: space = 'default', annotations } = metadata
    const reader: Reader = { file, at: `NetworkPolicy ${typeof written === 'string' ? written : ''}` }
    const name = requiredString(written, field(reader, 'metadata.name'))
    const namespace = requiredString(space, field(reader, 'metadata.namespace'))
    const cluster = stringMap(annotations, field(reader, 'metadata.annotations'))['cinch.cluster']
    const key = JSON.stringify([cluster ?? null, namespace, name])
    const other = files.get(key)
    if (other !== undefined) {
      const message = `NetworkPolicy ${namespace}/${name} is also in ${other}: the later one would replace the other; rename one`
      throw new PolicyError('bad_policy', message, file)
    }
    files.set(key, file)
    const spec = optionalRecord(value['spec'] ?? undefined, field(reader, 'spec')) ?? {}
    return { name, namespace, cluster, ...readNetworkPolicy(spec, reader) }
  })
}
