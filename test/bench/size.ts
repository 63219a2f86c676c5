import { run, type Store } from '../../services/store/store.ts'

/** How large the generated telemetry is. */
export interface Size {
  services: number
  /** Pairs of a caller and a callee; every fourth is told of by the caller's proxy too. */
  edges: number
  operations: number
  /** Hours in which each operation is used, spread over two weeks; at least 1, at most 21. */
  hours: number
}

export const FIRST_WEEK = { since: '2026-11-02T00:00:00Z', until: '2026-11-09T00:00:00Z' }
export const SECOND_WEEK = { since: '2026-11-09T00:00:00Z', until: '2026-11-16T00:00:00Z' }
export const DAY = { since: '2026-11-12T00:00:00Z', until: '2026-11-13T00:00:00Z' }

const NAMESPACES = 100
const OWNERS = 80
/** Of hundred operations, and of two hundred pairs, one is used in the first week only and one in the second only. */
export const ONE_WEEK = { operations: 100, edges: 200 }
const OPERATIONS_AT_ONCE = 100_000

/**
 * Fills the rollups of two weeks: the engine makes the rows. Callees are skewed (the first has 1.4 % of all callers), and so are the
 * operations of a pair. Goes round the facts, whose cost is measured elsewhere.
 */
export async function makeTelemetry(store: Store, size: Size): Promise<void> {
  await run(store.jobs, INVENTORY, { services: size.services })
  await run(store.jobs, SERVICES, { services: size.services })
  await run(store.jobs, EDGES, { services: size.services, edges: size.edges })
  for (let from = 0; from < size.operations; from += OPERATIONS_AT_ONCE) {
    const count = Math.min(OPERATIONS_AT_ONCE, size.operations - from)
    await run(store.jobs, USAGE, { edges: size.edges, operations: size.operations, hours: size.hours, from, count })
  }
}

/** Rows of usage that `makeTelemetry` makes for what callees tell: caller, operation and hour are distinct. */
export const usageRows = ({ operations, hours }: Size) => operations * hours

const namespaceOf = (service: string) => `concat('ns', toString(${service} % ${NAMESPACES}))`
const principalOf = (service: string) =>
  `concat('td', toString(${service} % 2), '.example/ns/', ${namespaceOf(service)}, '/sa/svc', toString(${service}))`
const clusterOf = (service: string) => `concat('c', toString(${service} % 3))`

const INVENTORY = `
  INSERT INTO declared_workload (namespace, name, kind, service_account, labels, owner)
  SELECT ${namespaceOf('number')}, concat('svc', toString(number)), 'Deployment', concat('svc', toString(number)),
    map('app', concat('svc', toString(number)), 'tier', ['edge', 'middle', 'data'][number % 3 + 1]), concat('team', toString(number % ${OWNERS}))
  FROM numbers({services:UInt64})`

const SERVICES = `
  INSERT INTO declared_service (namespace, name, selector)
  SELECT ${namespaceOf('number')}, concat('svc', toString(number)), map('app', concat('svc', toString(number))) FROM numbers({services:UInt64})`

/** The callee of pair p, and its caller: pairs of one callee follow each other, so their callers differ. */
const ENDS = `
  toUInt32(floor({services:UInt64} * pow(p / {edges:UInt64}, 2))) AS callee,
  toUInt32((callee + 1 + p) % {services:UInt64}) AS caller`

const EDGES = `
  INSERT INTO edge (edge, cluster, destination_service, destination_principal, source_namespace, source_workload, source_principal, source_evidence,
    reporter, service_port, workload_port, protocol, mtls)
  SELECT sipHash128(p, by), ${clusterOf('callee')}, concat('svc', toString(callee), '.', ${namespaceOf('callee')}),
    if(by = 0, ${principalOf('callee')}, ''), if(by = 0, '', ${namespaceOf('caller')}), if(by = 0, '', concat('svc', toString(caller))),
    if(by = 0, ${principalOf('caller')}, ''), if(by = 0, 'verified', 'address'), if(by = 0, 'destination', 'source'), 80, 8080, 'http', 'yes'
  FROM (SELECT number AS p, ${ENDS} FROM numbers({edges:UInt64})) ARRAY JOIN if(p % 4 = 0, [0, 1], [0]) AS by`

/** Operation o is on pair o while there are pairs, then on a skewed one. Its hours are distinct. */
const USAGE = `
  INSERT INTO operation_usage (edge, hour, method, shape, path_flags, requests, denied, first_seen, last_seen)
  WITH toDateTime('${FIRST_WEEK.since.slice(0, 19).replace('T', ' ')}', 'UTC') AS start
  SELECT sipHash128(p, by), start + toIntervalHour(h) AS hour, if(o % 10 < 7, 'GET', 'POST'),
    concat('/api/v1/resource', toString(o % 97), '/{int}/part', toString(o)), 0, 1 + cityHash64(o, h) % 50, 0,
    toDateTime64(hour, 6, 'UTC') + toIntervalSecond(60), toDateTime64(hour, 6, 'UTC') + toIntervalSecond(3000)
  FROM (
    SELECT o, p, arrayJoin(range({hours:UInt64})) AS k,
      multiIf(o % ${ONE_WEEK.operations} = 1 OR p % ${ONE_WEEK.edges} = 1, 1, o % ${ONE_WEEK.operations} = 2 OR p % ${ONE_WEEK.edges} = 2, 2, 0) AS week,
      toUInt32(if(week = 0, k * 16, if(week = 1, 0, 168) + k * 8) + cityHash64(o, k) % if(week = 0, 16, 8)) AS h
    FROM (
      SELECT {from:UInt64} + number AS o,
        if(o < {edges:UInt64}, o, toUInt64({edges:UInt64} * pow(cityHash64(o) / 18446744073709551616., 3))) AS p
      FROM numbers({count:UInt64})))
  ARRAY JOIN if(p % 4 = 0, [0, 1], [0]) AS by`
