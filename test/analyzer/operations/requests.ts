import { run, type Store } from '../../../services/store/store.ts'

export interface Asked {
  method?: string
  path: string
  requests?: number
  /** Workload in the namespace `shop`. */
  caller?: string
  status?: number
  grpc_status?: number
  decision?: 'allowed' | 'denied'
  protocol?: 'http' | 'grpc'
}

/** Requests to a workload of the namespace `shop`, as its proxy's log would have told of them. */
export async function insertRequests(store: Store, callee: string, asked: readonly Asked[]): Promise<void> {
  const first = {
    method: 'GET',
    requests: 1,
    caller: 'web',
    status: 200,
    grpc_status: -1,
    decision: 'allowed',
    protocol: 'http',
  }
  await run(
    store.jobs,
    `INSERT INTO request (time, source_format, sender, reporter, mtls, source_principal, source_namespace, source_workload, source_evidence,
       destination_principal, destination_namespace, destination_workload, workload_port, protocol, method, path, shape, status, grpc_status, decision, stage)
     SELECT toDateTime64('2026-11-17 05:00:00', 6, 'UTC') + toIntervalSecond(rowNumberInAllBlocks() % 3600), 'istio-json', 'operator', 'destination',
       'yes', concat('td/ns/shop/sa/', caller), 'shop', caller, 'verified', concat('td/ns/shop/sa/', {callee:String}), 'shop', {callee:String}, 8080,
       protocol, method, path, path, status, grpc_status, decision, 'end'
     FROM (SELECT *, arrayJoin(range(requests)) FROM format(JSONEachRow,
       'method String, path String, requests UInt64, caller String, status UInt16, grpc_status Int16, decision String, protocol String', {rows:String}))`,
    { callee, rows: asked.map((row) => JSON.stringify({ ...first, ...row })).join('\n') },
  )
}
