import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import type { Evidence } from '../../services/model/evidence.ts'
import { EMPTY_INVENTORY, type Inventory } from '../../services/model/inventory.ts'
import type { ObservedOperation, PathFlag, Protocol } from '../../services/model/operation.ts'
import { NO_COUNTS, type OperationUsers } from '../../services/model/users.ts'

/** An operation as the case files write it; everything has a default. */
export interface ShortOperation {
  /** `namespace/workload`, optionally with a cluster in front. */
  from?: string
  principal?: string
  evidence?: Evidence
  to?: string
  service?: string
  port?: number
  servicePort?: number
  protocol?: Protocol
  method?: string
  path?: string
  flags?: PathFlag[]
  mtls?: 'yes' | 'no' | 'unknown'
  requests?: number
  denied?: number
  users?: ShortUsers
}

/** Users as the case files write them: classes of equal shares of the operation's requests, less those without a user. */
export interface ShortUsers {
  without: number
  untold?: number
  seen: { issuer: string; groups?: string[] | null; acr?: string | null; ageS?: number | null; moreGroups?: boolean }[]
}

/** Distinct users of each class that the case files write: no two classes share one. */
const USERS_EACH = 4

export const WINDOW = { since: '2026-01-01T00:00:00Z', until: '2026-01-15T00:00:00Z' }

export function operation(short: ShortOperation): ObservedOperation {
  const source = party(short.from ?? 'shop/web')
  const destination = party(short.to ?? 'shop/orders')
  const requests = short.requests ?? 10
  const principal = short.principal ?? `cluster.local/ns/${source.namespace}/sa/${source.workload}`
  return {
    source: { ...source, principal, evidence: short.evidence ?? 'verified' },
    destination: { ...destination, principal: '', service: short.service ?? '' },
    servicePort: short.servicePort ?? 0,
    workloadPort: short.port ?? 8080,
    protocol: short.protocol ?? 'http',
    method: short.method ?? 'GET',
    path: short.path ?? '/items',
    pathFlags: short.flags ?? [],
    mtls: short.mtls ?? 'yes',
    reporter: 'destination',
    ...(short.users ? { users: usersOf(short.users, requests) } : {}),
    requests,
    denied: short.denied ?? 0,
    firstSeen: '2026-01-02T00:00:00Z',
    lastSeen: '2026-01-14T00:00:00Z',
    days: 12,
  }
}

export function usersOf({ without, untold = 0, seen }: ShortUsers, requests: number): OperationUsers {
  const left = requests - without - untold
  // The last share takes what does not divide.
  const share = (at: number) => Math.floor((left * (at + 1)) / seen.length) - Math.floor((left * at) / seen.length)
  return {
    without: { ...NO_COUNTS, requests: seen.length > 0 ? without : requests - untold },
    untold: { ...NO_COUNTS, requests: untold },
    seen: seen.map((one, at) => ({
      groups: [],
      acr: null,
      ageS: null,
      moreGroups: false,
      ...one,
      ...NO_COUNTS,
      requests: share(at),
      marks: (BigInt(2 ** USERS_EACH - 1) << BigInt(at * USERS_EACH)).toString(16),
    })),
  }
}

function party(text: string) {
  if (text.startsWith('external:')) return { id: text, principal: '', cluster: '', namespace: '', workload: '' }
  const parts = text.split('/')
  const [cluster = '', namespace = '', workload = ''] = parts.length > 2 ? parts : ['', ...parts]
  return { id: text, principal: '', cluster, namespace, workload }
}

/** Workloads as `namespace/name: {labels}` and services as `namespace/name: {selector, ports: {service: workload}}`. */
export interface ShortInventory {
  workloads?: Record<string, Record<string, string>>
  services?: Record<string, { selector: Record<string, string>; ports: Record<string, number> }>
}

export function inventory(short: ShortInventory | undefined): Inventory {
  if (!short) return EMPTY_INVENTORY
  const workloads = Object.entries(short.workloads ?? {}).map(([key, labels]) => {
    const { cluster, namespace, workload } = party(key)
    const about = { kind: 'Deployment', serviceAccount: `${workload}-account`, owner: '' }
    return { cluster, namespace, name: workload, labels, ...about }
  })
  const services = Object.entries(short.services ?? {}).map(([key, { selector, ports }]) => {
    const { cluster, namespace, workload } = party(key)
    const list = Object.entries(ports).map(([port, target]) => ({
      name: '',
      servicePort: Number(port),
      workloadPort: target,
      protocol: 'TCP',
    }))
    return { cluster, namespace, name: workload, selector, ports: list }
  })
  return { workloads, services }
}

/** Every workload of the operations, on either end, with the label `app`, as an inventory would have it. */
export function inventoryOf(operations: readonly ObservedOperation[]): Inventory {
  const workloads = Object.fromEntries(
    operations
      .flatMap(({ source, destination }) => [source, destination])
      .map(({ cluster, namespace, workload }) => [[cluster, namespace, workload].join('/'), { app: workload }]),
  )
  return inventory({ workloads })
}

export function readCases<T>(name: string): T {
  return parse(readFileSync(new URL(`cases/${name}`, import.meta.url), 'utf8')) as T
}

/** A seeded generator of numbers in [0, 1): the same seed, the same test (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
