import { parse } from 'yaml'
import { type MeshTrustDomains, TRUST_DOMAINS_MAX } from '../../../model/trust-domain.ts'
import { type Fields, fields, list, text } from './fields.ts'

/** SPIFFE-ID, section 2.1. */
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/
/** Istio's, where the mesh names none. */
const DEFAULT_TRUST_DOMAIN = 'cluster.local'

/**
 * The trust domains that Istio's mesh configuration (ConfigMap `istio` or, of a revision alone, `istio-<revision>`; `data.mesh`) takes
 * for one. `unreadable` counts those that are no mesh configuration.
 */
export function readMeshes(
  objects: readonly Fields[],
  cluster: string,
): { meshes: MeshTrustDomains[]; unreadable: number } {
  const nameOf = (object: Fields) => text(fields(object['metadata'])['name'])
  const found = objects.filter(
    (object) =>
      object['kind'] === 'ConfigMap' &&
      /^istio(-|$)/.test(nameOf(object)) &&
      typeof fields(object['data'])['mesh'] === 'string',
  )
  const object = found.find((one) => nameOf(one) === 'istio') ?? found.at(-1)
  if (!object) return { meshes: [], unreadable: 0 }
  const names = trustDomainsIn(text(fields(object['data'])['mesh']))
  return names ? { meshes: [{ cluster, names }], unreadable: 0 } : { meshes: [], unreadable: 1 }
}

function trustDomainsIn(mesh: string): string[] | undefined {
  let config: Fields
  try {
    config = fields(parse(mesh, { maxAliasCount: 0 }))
  } catch {
    return undefined
  }
  const own = text(config['trustDomain']) || DEFAULT_TRUST_DOMAIN
  const names = [...new Set([own, ...list(config['trustDomainAliases']).map(text)])]
  return names.length <= TRUST_DOMAINS_MAX && names.every((name) => TRUST_DOMAIN.test(name)) ? names : undefined
}
