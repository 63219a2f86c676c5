import { fail, field, optionalList, optionalRecord, type Reader, requiredString } from '../fields.ts'

/** What a policy is bound to instead of workloads: `targetRefs`. */
export interface PolicyTarget {
  /** Empty for Kubernetes' own kinds. */
  group: string
  kind: string
  name: string
}

const TARGETS_MAX = 16

/** Both `targetRefs` and the older `targetRef`. Another namespace than the policy's own is refused, as by Istio. */
export function readTargets(spec: Record<string, unknown>, reader: Reader): PolicyTarget[] {
  const { targetRef, targetRefs } = spec
  const list = optionalList(targetRefs, field(reader, 'targetRefs'), TARGETS_MAX) ?? []
  if (list.length === 0) return targetRef === undefined ? [] : [readTarget(targetRef, field(reader, 'targetRef'))]
  return list.map((item, index) => readTarget(item, field(reader, `targetRefs[${index}]`)))
}

function readTarget(value: unknown, reader: Reader): PolicyTarget {
  const known = ['group', 'kind', 'name', 'namespace']
  const { group, kind, name, namespace } = optionalRecord(value ?? undefined, reader, known) ?? {}
  if (namespace !== undefined && namespace !== '') fail(reader, 'has a namespace; a target is in the policy’s own')
  const written = group === undefined || group === 'core' ? '' : group
  if (typeof written !== 'string') fail(field(reader, 'group'), 'must be a string')
  return {
    group: written,
    kind: requiredString(kind, field(reader, 'kind')),
    name: requiredString(name, field(reader, 'name')),
  }
}
