import { createHash } from 'node:crypto'
import type { Callee } from '../../services/model/permission.ts'

/** Leaves room for a namespace and an extension in a file name, of which most systems take 255 bytes. */
const NAME_MAX = 180

/**
 * A Kubernetes name (RFC 1123 subdomain) for any text. Text that already is one stays; anything else is cleaned, cut
 * and given a digest of the original, so that two texts never share a name.
 */
export function kubernetesName(text: string): string {
  if (text.length <= NAME_MAX && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(text))
    return text
  const clean = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, NAME_MAX - DIGEST_LENGTH - 1)
    .replace(/^-+|-+$/g, '')
  return `${clean || 'unnamed'}-${digest(text)}`
}

const DIGEST_LENGTH = 10

export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, DIGEST_LENGTH)
}

/**
 * What a callee's file and its rules are called. Two callees of one name in one namespace differ in their selectors only;
 * both then carry a digest of it.
 */
export function fileNames(callees: readonly Callee[]): Map<Callee, { file: string; workload: string }> {
  const taken = Map.groupBy(callees, (callee) => JSON.stringify([callee.cluster, callee.namespace, callee.workload]))
  const names = new Map<Callee, { file: string; workload: string }>()
  for (const group of taken.values()) {
    for (const callee of group) {
      const mark = group.length > 1 ? `-${digest(JSON.stringify(callee.selector))}` : ''
      const workload = `${kubernetesName(callee.workload)}${mark}`
      names.set(callee, { file: `${callee.namespace}.${workload}`, workload })
    }
  }
  return names
}
