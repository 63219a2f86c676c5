import { declareServices, declareWorkloads } from '../../services/store/queries/inventory.ts'
import type { Window } from '../../services/store/queries/rollups.ts'
import { run, type Store } from '../../services/store/store.ts'

export const SERVICES = 1_000
/** Of each edge. */
const OPERATIONS = 5
/** Six weeks, in every hour of which each permission is used. */
const HOURS = 1_008
export const WEEKS: Window = { since: '2026-10-20T00:00:00Z', until: '2026-12-01T00:00:00Z' }
export const MONTH: Window = { since: '2026-11-01T00:00:00Z', until: '2026-12-01T00:00:00Z' }
const INSERT_ROWS = 2_000_000

/** Rows of the rollup by the hour that so many permissions make. */
export const rowsOf = (permissions: number) => permissions * HOURS

/**
 * Six weeks of usage, written into the rollup by the engine itself: each permission is an operation of an edge between two of
 * the services, with other counts in each hour. What hangs on the rollup comes of it as it does of requests.
 */
export async function insertUsage(store: Store, permissions: number): Promise<void> {
  const names = Array.from({ length: SERVICES }, (_, index) => `svc${index}`)
  const about = { cluster: '', owner: '' }
  const ports = [{ name: 'http', servicePort: 80, workloadPort: 8080, protocol: 'TCP' }]
  const objects = names.map((name) => ({ ...about, name, namespace: `ns${Number(name.slice(3)) % 20}` }))
  await declareWorkloads(
    store.jobs,
    objects.map((one) => ({ ...one, kind: 'Deployment', serviceAccount: one.name, labels: { app: one.name } })),
  )
  await declareServices(
    store.jobs,
    objects.map((one) => ({ ...one, selector: { app: one.name }, ports })),
  )
  const edges = Math.ceil(permissions / OPERATIONS)
  await run(
    store.jobs,
    `INSERT INTO edge (edge, source_format, sender, destination_namespace, destination_workload, destination_service, destination_principal, source_principal,
       source_evidence, reporter, enforcement_point, service_port, workload_port, protocol, mtls)
     SELECT sipHash128(number), 'istio-json', 'operator', concat('ns', toString(callee % 20)), concat('svc', toString(callee)),
       concat('svc', toString(callee), '.ns', toString(callee % 20)), concat('cluster.local/ns/ns', toString(callee % 20), '/sa/svc', toString(callee)),
       concat('cluster.local/ns/ns', toString(caller % 20), '/sa/svc', toString(caller)), 'verified', 'destination', 'sidecar', 80, 8080, 'http', 'yes'
     FROM (SELECT number, number % ${SERVICES} AS callee, (callee + 1 + intDiv(number, ${SERVICES}) * 37) % ${SERVICES} AS caller FROM numbers({edges:UInt64}))`,
    { edges },
  )
  const rows = rowsOf(permissions)
  for (let from = 0; from < rows; from += INSERT_ROWS)
    await run(
      store.jobs,
      `INSERT INTO operation_usage (edge, hour, method, shape, path_flags, requests, denied, not_found, first_seen, last_seen, mark)
       SELECT sipHash128(intDiv(permission, ${OPERATIONS})), toDateTime('2026-10-20 00:00:00', 'UTC') + toIntervalHour(number % ${HOURS}) AS hour,
         if(permission % 3 = 0, 'POST', 'GET'), concat('/api/v1/resource', toString(permission % ${OPERATIONS}), '/{int}'), 0,
         1 + cityHash64(number) % 1000, 0, 0, toDateTime64(hour, 6, 'UTC') + toIntervalSecond(cityHash64(number, 1) % 60),
         toDateTime64(hour, 6, 'UTC') + toIntervalSecond(3000 + cityHash64(number, 2) % 600), bitShiftRight(cityHash64(number, 3), 11)
       FROM (SELECT number, intDiv(number, ${HOURS}) AS permission FROM numbers({from:UInt64}, {count:UInt64}))`,
      { from, count: Math.min(INSERT_ROWS, rows - from) },
    )
}
