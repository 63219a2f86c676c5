import { EMPTY_INVENTORY, type Inventory } from '../services/model/inventory.ts'
import type { ObservedOperation } from '../services/model/operation.ts'
import { NO_COUNTS, OLDER_S, type OperationUsers } from '../services/model/users.ts'
import { PolicyError } from './errors.ts'
import { askedOf } from './replay/asked.ts'
import { type PolicyText, readPolicySet } from './replay/documents.ts'
import { formats } from './replay/formats.ts'
import { type RegoEngine, throughAll } from './replay/layer.ts'
import { readAssumed, TESTS_FILE } from './report.ts'
import type { CaseUser, PolicyCase } from './targets/target.ts'

/** A case that the policies do not answer as it says. */
export interface FailedCase extends PolicyCase {
  is: 'allow' | 'deny' | 'uncertain'
  why: string
}

/**
 * Runs the allow and deny cases that stand beside policies, on nothing but the files.
 *
 * @param inventory labels of the pods that have more than the cases tell
 * @throws PolicyError `bad_policy` where there are no cases
 */
export function runCases(
  files: readonly PolicyText[],
  rego: RegoEngine | null,
  inventory: Inventory = EMPTY_INVENTORY,
): { cases: number; failed: FailedCase[] } {
  const cases = casesIn(files)
  const context = { inventory: inventoryOf(cases, inventory), assumed: readAssumed(files), window: NO_WINDOW, rego }
  const { asked, layers } = askedOf(cases.map(operationOf), context)
  const set = readPolicySet(files)
  const verdicts = throughAll(formats.flatMap((format) => format.read(set, layers)?.layer ?? []))(asked)
  const failed = cases.flatMap((one, at): FailedCase[] => {
    const { allowed, reason } = verdicts[at] ?? { allowed: 'unknown', reason: '' }
    const is = allowed === 'yes' ? 'allow' : allowed === 'no' ? 'deny' : 'uncertain'
    return is === one.expect ? [] : [{ ...one, is, why: reason }]
  })
  return { cases: cases.length, failed }
}

const NO_WINDOW = { since: '', until: '' }

function casesIn(files: readonly PolicyText[]): PolicyCase[] {
  const file = files.find(({ path }) => path === TESTS_FILE || path.endsWith(`/${TESTS_FILE}`))
  if (!file) throw new PolicyError('bad_policy', `there is no ${TESTS_FILE} beside the policies`)
  try {
    const { cases } = JSON.parse(file.content) as { cases?: PolicyCase[] }
    if (Array.isArray(cases)) return cases
  } catch {
    // Told below, as for what is JSON and has no cases.
  }
  throw new PolicyError('bad_policy', 'has no list "cases"; generate the policies again', file.path)
}

function inventoryOf(cases: readonly PolicyCase[], told: Inventory): Inventory {
  const pods = cases.flatMap(({ cluster, namespace, workload, labels, caller }) => [
    { cluster, namespace, name: workload, labels },
    ...(caller ? [{ cluster, namespace: caller.namespace, name: caller.workload, labels: caller.labels }] : []),
  ])
  const known = new Map(pods.map((pod) => [JSON.stringify([pod.cluster, pod.namespace, pod.name]), pod]))
  const labels = new Map(told.workloads.map((one) => [`${one.namespace}/${one.name}`, one.labels]))
  const workloads = [...known.values()].map((pod) => ({
    ...pod,
    labels: labels.get(`${pod.namespace}/${pod.name}`) ?? pod.labels,
    kind: 'Deployment',
    serviceAccount: '',
    owner: '',
  }))
  return { workloads, services: [] }
}

function operationOf({
  cluster,
  namespace,
  workload,
  principal,
  caller,
  service,
  user,
  method,
  path,
  port,
}: PolicyCase): ObservedOperation {
  return {
    source: {
      id: principal,
      principal,
      cluster,
      namespace: caller?.namespace ?? '',
      workload: caller?.workload ?? '',
      evidence: 'verified',
    },
    destination: {
      ...{ id: `${namespace}/${workload}`, principal: '', cluster, namespace, workload },
      service: service?.name ?? '',
    },
    servicePort: service?.port ?? 0,
    // 0 says that the policies do not look at it.
    workloadPort: port || 1,
    protocol: 'http',
    method,
    path,
    pathFlags: [],
    mtls: 'yes',
    reporter: 'destination',
    ...(user === undefined ? {} : { users: usersOf(user) }),
    requests: 1,
    denied: 0,
    firstSeen: '',
    lastSeen: '',
    days: 0,
  }
}

function usersOf(user: CaseUser | null): OperationUsers {
  const one = { ...NO_COUNTS, requests: 1 }
  const seen = user ? [{ ...user, ...one, acr: '', ageS: OLDER_S, moreGroups: false, marks: '1' }] : []
  return { without: user ? NO_COUNTS : one, untold: NO_COUNTS, seen }
}
