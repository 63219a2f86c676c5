import type { MeshTrustDomains } from './trust-domain.ts'

/** A declared workload: where selectors come from, never from a guess. */
export interface Workload {
  cluster: string
  namespace: string
  /** Name of the owning controller (Deployment, StatefulSet, DaemonSet, CronJob, Job) or of the bare Pod. */
  name: string
  kind: string
  serviceAccount: string
  /** Labels of the Pod template: what a policy's selector matches. */
  labels: Record<string, string>
  /** Owner as the objects state it (label or annotation `owner`, `team`, `app.kubernetes.io/managed-by`), else empty. */
  owner: string
  /** How sensitive its data is, as the objects state it (label or annotation `sensitivity`, `data-classification`), else empty. */
  sensitivity?: string
  /** Whose it is: `enterprise-owned`, `not-managed`, `personally-owned` or a word of the user's own (`category`, `ownership`), else empty. */
  category?: string
}

/** A declared Service: which workloads answer for it, and how its ports map to theirs. */
export interface Service {
  cluster: string
  namespace: string
  name: string
  selector: Record<string, string>
  ports: ServicePort[]
}

export interface ServicePort {
  name: string
  servicePort: number
  /** The workload's port (`targetPort`), 0 when it is a name that no container port resolves. */
  workloadPort: number
  protocol: string
}

/** Which workload a Pod's address was of. Addresses are used again, so it holds from the Pod's start to when it was declared. */
export interface PodAddress {
  cluster: string
  namespace: string
  workload: string
  pod: string
  address: string
  /** Of the node: whoever runs on it may speak from it. */
  shared: boolean
  /** ISO 8601, UTC; absent where it is not told: from when it is declared on. */
  since?: string
  /** Digests of the images that its own containers run (`sha256:…`), sorted, separated by commas; absent where that is not told. */
  image?: string
}

/** A declared Pod as far as requests can be told to be of it. */
export interface Pod {
  cluster: string
  namespace: string
  workload: string
  pod: string
  /** As `PodAddress` has it; empty where that is not told. */
  image: string
  /** The bits of its addresses, hexadecimal: see `marks.ts`. */
  marks: string
  /** When it was declared to run. ISO 8601, UTC. */
  since: string
  until: string
}

export interface Inventory {
  workloads: Workload[]
  services: Service[]
  /** Those of a window; left out where nobody asked for them. */
  pods?: Pod[]
  /** Left out where no mesh configuration was given. */
  trustDomains?: MeshTrustDomains[]
}

export const EMPTY_INVENTORY: Inventory = { workloads: [], services: [] }

/** True when every pair of `selector` is in `labels` (Kubernetes `matchLabels`); an empty selector matches all. */
export function selects(selector: Record<string, string>, labels: Record<string, string>): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value)
}
