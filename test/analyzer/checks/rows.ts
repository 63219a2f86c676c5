import { run } from '../../../services/store/store.ts'
import type { TestApi } from '../../api/support.ts'

/** Requests that are alike, `times` of them, as one reporter tells of them. Left out is what a callee's sidecar says of `web` calling `orders`. */
export interface Row {
  times?: number
  reporter?: 'destination' | 'source' | 'gateway' | 'flow'
  point?: string
  format?: string
  mtls?: 'yes' | 'no' | 'unknown'
  evidence?: string
  /** '' where nobody named the caller. */
  from?: string
  address?: string
  /** '' where the reporter is no workload of the callee's. */
  to?: string
  /** Its identity; like the workload's name unless told otherwise. */
  identity?: string
  service?: string
  kind?: 'internal' | 'external'
  user?: string
  path?: string
  agent?: string
  cluster?: string
  decision?: 'allowed' | 'denied'
  /** Whether its lines carry a trace id. */
  trace?: boolean
}

const HOUR_S = 3_600

/** Requests of one namespace, spread over the first hour from `start`: facts, of which the store's own views make the rollups. */
export async function insertRequests(
  { store }: TestApi,
  namespace: string,
  start: string,
  rows: readonly Row[],
): Promise<void> {
  const facts = rows.map(({ times = 150, to = 'orders', from = 'web', ...row }) => ({
    times,
    step: Math.floor(HOUR_S / times),
    reporter: row.reporter ?? 'destination',
    point: row.point ?? 'sidecar',
    format: row.format ?? 'istio-json',
    mtls: row.mtls ?? 'yes',
    evidence: row.evidence ?? (from === '' ? 'none' : 'verified'),
    from,
    from_identity:
      from === '' || (row.reporter ?? 'destination') !== 'destination' ? '' : `td/ns/${namespace}/sa/${from}`,
    address: row.address ?? '::',
    to,
    identity:
      (to === '' && row.identity === undefined) || row.reporter === 'flow'
        ? ''
        : `td/ns/${namespace}/sa/${row.identity ?? to}`,
    service: row.service === undefined ? `${to}.${namespace}` : row.service,
    kind: row.kind ?? 'internal',
    user: row.user ?? '',
    path: row.path ?? '/a',
    agent: row.agent ?? '',
    cluster: row.cluster ?? '',
    decision: row.decision ?? 'allowed',
    trace: row.trace ?? false,
  }))
  await run(
    store.jobs,
    `INSERT INTO request (time, cluster, trace_id, source_format, sender, reporter, enforcement_point, mtls, source_evidence, source_namespace, source_workload, source_principal,
       source_address, destination_namespace, destination_workload, destination_principal, destination_service, destination_kind, workload_port, protocol,
       method, path, shape, status, decision, stage, user_issuer, user_subject, user_agent)
     SELECT {start:DateTime('UTC')} + toIntervalSecond(arrayJoin(range(times)) * step), cluster, if(trace, unhex(repeat('ab', 16)), ''), format, 'operator', reporter, point, mtls, evidence,
       if(from = '', '', {namespace:String}), from, from_identity, toIPv6(address), if(to = '', '', {namespace:String}), to, identity, service, kind, 8080, 'http',
       'GET', path, path, 200, decision, 'end', if(user = '', '', 'https://id.example'), user, agent
     FROM format(JSONEachRow, 'times UInt32, step UInt32, reporter String, point String, format String, mtls String, evidence String, from String,
       from_identity String, address String, to String, identity String, service String, kind String, user String, path String, agent String, cluster String, decision String, trace Bool', {rows:String})`,
    {
      namespace,
      start: start.replace('T', ' ').slice(0, 19),
      rows: facts.map((fact) => JSON.stringify(fact)).join('\n'),
    },
  )
}
