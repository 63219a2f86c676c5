import { parseAllDocuments } from 'yaml'
import type { PolicyFile } from '../../policy-gen/targets/target.ts'
import type { HttpFilter } from './envoy-config.ts'
import type { Enforcer } from './rbac.ts'

type Content = Pick<PolicyFile, 'content'>

/** The filters in the files of target `envoy-rbac`, exactly as they stand there. */
export function filtersIn(files: readonly Content[], name: string): HttpFilter[] {
  return documentsOf(files).filter((document): document is HttpFilter => 'name' in document && document.name === name)
}

/** The document before filters: whose proxies they are for. */
interface Head {
  proxies: { cluster?: string; namespace: string; selector: Record<string, string> }
}

/** Those of them that are for one workload's proxy, as whoever builds the proxies would choose. */
export function filtersFor(files: readonly Content[], { cluster, namespace, labels }: Enforcer & { cluster: string }) {
  let isMine = false
  return documentsOf(files).filter((document): document is HttpFilter => {
    if ('name' in document) return isMine
    const { proxies } = document
    const isSelected = Object.entries(proxies.selector).every(([key, value]) => labels[key] === value)
    isMine = (proxies.cluster ?? cluster) === cluster && proxies.namespace === namespace && isSelected
    return false
  })
}

function documentsOf(files: readonly Content[]): (HttpFilter | Head)[] {
  return files.flatMap(({ content }) =>
    parseAllDocuments(content).map((document) => document.toJS() as HttpFilter | Head),
  )
}
