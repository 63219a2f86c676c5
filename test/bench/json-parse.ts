import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Way } from './ways.ts'

const BATCH_ROWS = 20_000

/**
 * What most collectors do: parse every line, build an object, hand batches to the client. Into the table with its views, and
 * the same facts as Cinch's own way, which the benchmark checks: all but the trace's and the span's ids, which are binary and
 * which rows in JSON cannot carry. That spares this way 24 bytes a row and the hashing of an index.
 */
export const jsonParse: Way = {
  name: 'Node, JSON.parse and objects to the client',
  storesFacts: true,
  load: async (store, file) => {
    let values: object[] = []
    const flush = async () => {
      await store.jobs.insert({ table: 'request', format: 'JSONEachRow', values })
      values = []
    }
    for await (const line of createInterface({ input: createReadStream(file) })) {
      values.push(rowOf(JSON.parse(line) as Record<string, string>))
      if (values.length >= BATCH_ROWS) await flush()
    }
    if (values.length > 0) await flush()
  },
}

/** A fact of a callee's line, as plainly as it can be had; only what the benchmark's lines need is mapped. */
function rowOf(line: Record<string, string>): object {
  const [address = '', port] = (line['downstream_remote_address'] ?? '').split(':')
  const [callee = '', calleePort] = (line['downstream_local_address'] ?? '').split(':')
  const [, servicePort, , host = ''] = (line['requested_server_name'] ?? '').split('_.')
  const sent = line['path'] ?? ''
  const [path = ''] = sent.split('?')
  const source = line['source_principal']?.slice('spiffe://'.length) ?? ''
  const destination = line['destination_principal']?.slice('spiffe://'.length) ?? ''
  return {
    time: line['start_time']?.slice(0, -1).replace('T', ' '),
    sender: 'operator',
    source_format: 'istio-json',
    reporter: 'destination',
    enforcement_point: 'sidecar',
    source_principal: source,
    source_evidence: 'verified',
    source_namespace: source.split('/')[2],
    source_address: `::ffff:${address}`,
    source_port: Number(port),
    destination_principal: destination,
    destination_namespace: destination.split('/')[2],
    destination_service: host.replace(/\.svc\..*$/, ''),
    destination_address: `::ffff:${callee}`,
    service_port: Number(servicePort),
    workload_port: Number(calleePort),
    authority: line['authority'],
    sni: line['requested_server_name'],
    protocol: 'http',
    method: line['method'],
    path,
    shape: path.split('/').map(segmentShape).join('/'),
    path_flags: flagsOf(path, sent),
    status: line['response_code'],
    grpc_status: -1,
    duration_us: Number(line['duration']) * 1000,
    bytes_in: line['bytes_received'],
    bytes_out: line['bytes_sent'],
    user_agent: line['user_agent'],
    mtls: 'yes',
    tls_version: line['tls_version'],
  }
}

function segmentShape(segment: string): string {
  if (!/[0-9]/.test(segment)) return segment
  if (/^[0-9]{1,20}$/.test(segment)) return '{int}'
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(segment)) return '{uuid}'
  return /^[0-9a-f]{12,}$/i.test(segment) ? '{hex}' : segment
}

/** Of the flags only the query's occurs in the benchmark's paths; the others are looked for all the same. */
function flagsOf(path: string, sent: string): number {
  const query = sent.length > path.length ? 64 : 0
  if (/^(\/[a-zA-Z0-9_~.:@!$&()+,-]*[a-zA-Z0-9_~:@!$&()+,-])+$/.test(path)) return query
  throw new Error(`this way does not map the path ${path}`)
}
