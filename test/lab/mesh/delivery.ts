import { createHash } from 'node:crypto'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Json, TYPE } from './parts.ts'

/** The RBAC filters of one workload's Envoy, as a target wrote them or istiod would. */
export interface Filters {
  http: Json[]
  connections: Json[]
}

/** Puts filters into Envoys that run. */
export interface Delivery {
  /** The places for filters in a workload's listeners, before the router or the proxy. Nothing is decided there at first. */
  places(workload: string, kind: keyof Filters): Json[]
  /**
   * Replaces the filters of one Envoy, and waits until it says that it runs these: by the digest of each, as read back.
   * @throws Error for more filters than there are places, and when Envoy does not take them in 10 s
   */
  deliver(workload: string, admin: string, filters: Filters): Promise<void>
}

/** A DENY and an ALLOW filter, as istiod makes them. */
const PLACES = 2
const RBAC: Record<keyof Filters, string> = {
  http: `${TYPE}.filters.http.rbac.v3.RBAC`,
  connections: `${TYPE}.filters.network.rbac.v3.RBAC`,
}
const READ_BACK_DEADLINE_MS = 10_000

/**
 * Envoy's extension config discovery from files in `dir`: a filter is replaced for the next request, connections stay, and
 * nothing restarts. A file holds one filter; it is moved into place, which is what Envoy watches for.
 */
export function createDelivery(dir: string): Delivery {
  const fileOf = (workload: string, name: string) => join(dir, `${workload.replace('/', '_')}.${name}.xds.json`)
  const write = (
    workload: string,
    kind: keyof Filters,
    index: number,
    filter?: Json,
  ): [name: string, digest: string] => {
    const name = nameOf(kind, index)
    // Without rules the filter lets everything pass.
    const nothing = { '@type': RBAC[kind], ...(kind === 'connections' && { stat_prefix: 'none' }) }
    const typed_config = filter?.['typed_config'] ?? nothing
    const version = createHash('sha256').update(JSON.stringify(typed_config)).digest('hex')
    const resource = { '@type': 'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig', name, typed_config }
    const path = fileOf(workload, name)
    writeFileSync(`${path}.new`, JSON.stringify({ version_info: version, resources: [resource] }, null, 2))
    renameSync(`${path}.new`, path)
    return [name, version]
  }
  return {
    places: (workload, kind) =>
      Array.from({ length: PLACES }, (_, index) => {
        const [name] = write(workload, kind, index)
        const path_config_source = { path: fileOf(workload, name) }
        return { name, config_discovery: { config_source: { path_config_source }, type_urls: [RBAC[kind]] } }
      }),
    deliver: async (workload, admin, filters) => {
      const kinds = (['http', 'connections'] as const).filter((kind) => filters[kind].length > 0)
      for (const kind of kinds)
        if (filters[kind].length > PLACES)
          throw new Error(`${workload} has ${PLACES} places for ${kind}, not ${filters[kind].length}`)
      const wanted = kinds.flatMap((kind) =>
        Array.from({ length: PLACES }, (_, index) => write(workload, kind, index, filters[kind][index])),
      )
      await readBack(workload, admin, new Map(wanted))
    },
  }
}

const nameOf = (kind: keyof Filters, index: number) => `cinch.${kind}.${index}`

async function readBack(workload: string, admin: string, wanted: ReadonlyMap<string, string>): Promise<void> {
  const deadline = Date.now() + READ_BACK_DEADLINE_MS
  for (;;) {
    const runs = await running(admin)
    const missing = [...wanted].filter(([name, version]) => runs.get(name) !== version)
    if (missing.length === 0) return
    if (Date.now() > deadline)
      throw new Error(
        `${workload} does not run ${missing.map(([name]) => name).join(', ')}: ${JSON.stringify([...runs])}`,
      )
    await sleep(20)
  }
}

interface Dump {
  configs: { '@type': string; ecds_filters?: { version_info: string; ecds_filter: { name: string } }[] }[]
}

/** Digests by place, of what an Envoy runs. */
async function running(admin: string): Promise<Map<string, string>> {
  const answer = await fetch(`http://${admin}/config_dump`)
  const { configs } = (await answer.json()) as Dump
  const filters = configs.flatMap(({ ecds_filters = [] }) => ecds_filters)
  return new Map(filters.map(({ version_info, ecds_filter }) => [ecds_filter.name, version_info]))
}
