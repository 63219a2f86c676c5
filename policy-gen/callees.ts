import type { Workload } from '../services/model/inventory.ts'
import type { ObservedOperation } from '../services/model/operation.ts'
import type { Callee, CalleeService } from '../services/model/permission.ts'
import { isAmong, labelledAmbient } from './data-plane.ts'
import type { InventoryIndex } from './inventory-index.ts'
import type { NamingRule } from './naming.ts'
import { isLabel, readLabels } from './naming.ts'
import { isExternal } from './replay/external.ts'
import { applicationName, selectorOf } from './selector.ts'

export type CalleeResult = { ok: true; callee: Callee } | { ok: false; reason: string }

/** Finds, for every operation, the callee that a policy would select. Asked once per operation, answered once per workload. */
export type CalleeOf = (operation: ObservedOperation) => CalleeResult

/** Where labels come from that no inventory knows, and the namespaces in ambient mode. */
export interface CalleeRules {
  selector: NamingRule | null
  ambient: readonly string[]
}

/**
 * Groups the operations' destinations into callees. Every operation counts for the callee's plaintext, also those that
 * earn no permission: STRICT would break them. But what may not teach must not keep plaintext open.
 */
export function calleesOf(
  operations: readonly ObservedOperation[],
  index: InventoryIndex,
  rules: CalleeRules,
  teaches: (operation: ObservedOperation) => boolean = () => true,
): CalleeOf {
  const results = new Map<string, CalleeResult>()
  const groups = new Map<string, Callee>()
  for (const operation of operations) {
    const key = destinationKey(operation)
    const result = results.get(key) ?? grouped(resolve(operation, index, rules), groups)
    results.set(key, result)
    if (!result.ok) continue
    if (operation.mtls === 'no' && teaches(operation))
      result.callee.plaintextRequests += operation.requests + operation.denied
    if (operation.mtls === 'yes') result.callee.mutualTlsSeen = true
  }
  for (const callee of groups.values()) nameGroup(callee)
  return (operation) => results.get(destinationKey(operation)) ?? { ok: false, reason: 'the callee was not seen' }
}

function destinationKey({ destination }: ObservedOperation): string {
  return JSON.stringify([destination.cluster, destination.namespace, destination.workload, destination.service])
}

function grouped(result: CalleeResult, groups: Map<string, Callee>): CalleeResult {
  if (!result.ok) return result
  const { cluster, namespace, selector } = result.callee
  const key = JSON.stringify([cluster, namespace, Object.entries(selector).sort(byKey)])
  const group = groups.get(key)
  if (!group) {
    groups.set(key, result.callee)
    return result
  }
  group.members = [...new Set([...group.members, ...result.callee.members])]
  const known = new Set(group.ambient?.services.map(({ name }) => name))
  group.ambient?.services.push(...(result.callee.ambient?.services ?? []).filter(({ name }) => !known.has(name)))
  return { ok: true, callee: group }
}

function nameGroup(callee: Callee): void {
  callee.members.sort()
  const [first = callee.workload] = callee.members
  callee.workload = callee.members.length > 1 ? applicationName(callee.selector) || first : first
}

function resolve(
  operation: ObservedOperation,
  index: InventoryIndex,
  { selector: rule, ambient }: CalleeRules,
): CalleeResult {
  const { cluster, namespace, workload } = operation.destination
  if (isExternal(operation.destination)) return refuse('the callee is outside of the mesh: no policy holds there')
  if (workload === '') return refuse('the callee is not known as a workload: nothing that a policy can select')
  if (namespace === '') return refuse(`the namespace of ${workload} is not known`)
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace)) {
    return refuse(`${JSON.stringify(namespace)} is no name of a Kubernetes namespace`)
  }
  const known = index.behind(operation.destination)
  if (known.length > 0) {
    const [first, ...others] = known.map((one) => declared(operation, one, index, ambient))
    const unlike = others.find((other) => JSON.stringify(other) !== JSON.stringify(first))
    if (first && !unlike) return first
    const names = known.map(({ name }) => name).sort()
    return refuse(
      `behind the Service ${namespace}/${workload} are workloads that no one policy selects: ${names.join(', ')}; give each a Service of its own`,
    )
  }
  if (!rule) {
    return refuse(
      `no inventory gives the labels of ${namespace}/${workload}; ingest its Kubernetes objects, or give --selector 'app={workload}'`,
    )
  }
  const named = rule({ cluster, namespace, workload, serviceAccount: '' })
  if (!named.ok) return refuse(`the selector rule needs {${named.missing}}, which ${namespace}/${workload} has not`)
  const labels = readLabels(named.value)
  if (!labels) return refuse(`the selector rule gives ${JSON.stringify(named.value)}, which is no list of labels`)
  return found(operation, sorted(labels), 'assumed', isAmong(ambient, namespace) ? [] : null)
}

/** The callee that one workload is, whatever it was called. */
function declared(
  operation: ObservedOperation,
  workload: Workload,
  index: InventoryIndex,
  ambient: readonly string[],
): CalleeResult {
  const selector = selectorOf(workload, index)
  const name = `${workload.namespace}/${workload.name}`
  if (!selector) return refuse(`every selector of ${name} also selects another application; label its pods apart`)
  if (!Object.entries(selector).every(([key, value]) => isLabel(key, value))) {
    return refuse(`the inventory's labels of ${name} are no Kubernetes labels`)
  }
  const isAmbient = labelledAmbient(workload.labels) ?? isAmong(ambient, workload.namespace)
  return found(operation, sorted(selector), 'inventory', isAmbient ? servicesOf(workload, index) : null)
}

function found(
  { destination }: ObservedOperation,
  selector: Record<string, string>,
  selectorBasis: Callee['selectorBasis'],
  services: CalleeService[] | null,
): CalleeResult {
  const { cluster, namespace, workload } = destination
  const callee: Callee = {
    cluster,
    namespace,
    workload,
    members: [workload],
    selector,
    selectorBasis,
    plaintextRequests: 0,
    mutualTlsSeen: false,
    ...(services ? { ambient: { services } } : {}),
  }
  return { ok: true, callee }
}

function servicesOf(workload: Workload, index: InventoryIndex): CalleeService[] {
  return index
    .servicesOf(workload)
    .map(({ name, ports }) => ({
      name,
      ports: ports.map(({ servicePort, workloadPort }) => ({ servicePort, workloadPort })),
    }))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
}

function refuse(reason: string): CalleeResult {
  return { ok: false, reason }
}

function sorted(labels: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).sort(byKey))
}

function byKey([left]: [string, string], [right]: [string, string]): number {
  return left < right ? -1 : left > right ? 1 : 0
}
