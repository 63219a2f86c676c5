import { readFileSync } from 'node:fs'
import { openCinch } from '../../services/api/cinch.ts'
import { openInput } from '../../services/collector/input/input.ts'
import { operator } from '../../services/collector/origin.ts'
import { run, type Store } from '../../services/store/store.ts'
import { jsonParse } from './json-parse.ts'

/** A way of getting a file of access log lines into the store. Each runs on a store of its own, which is up to date. */
export interface Way {
  name: string
  /** True where it fills the table of facts itself, with its views. */
  storesFacts: boolean
  load(store: Store, file: string): Promise<void>
}

/**
 * The engine's own load of the same columns into the same kind of table: one JSONExtract, two threads, no views, no mapping
 * but the types. What nothing above the engine can beat.
 */
const bare: Way = {
  name: 'engine, bare load of the same columns',
  storesFacts: false,
  load: async (store, file) => {
    await run(store.jobs, 'CREATE TABLE bare AS request')
    await run(
      store.jobs,
      `INSERT INTO bare (${Object.keys(BARE).join(', ')}) SETTINGS max_threads = 2, max_insert_threads = 2
       SELECT ${Object.values(BARE).join(', ')}
       FROM (SELECT JSONExtract(line, 'Tuple(${KEYS})') AS f FROM file({file:String}, 'LineAsString', 'line String'))`,
      { file },
    )
  },
}

const KEYS = `start_time String, method String, path String, original_path String, protocol String, response_code UInt16, response_flags String,
  response_code_details String, bytes_received UInt64, bytes_sent UInt64, duration UInt64, x_forwarded_for String, user_agent String,
  request_id String, authority String, upstream_host String, upstream_cluster String, downstream_local_address String,
  downstream_remote_address String, requested_server_name String, source_principal String, destination_principal String,
  x_forwarded_client_cert String, traceparent String, tls_version String, certificate_hash String, certificate_end String, grpc_status String,
  jwt String, rbac String`

/** Columns that the lines fill, each as plainly as its type allows; `cluster` and the like are constants in both ways. */
const BARE: Record<string, string> = {
  time: "parseDateTime64BestEffort(f.start_time, 6, 'UTC')",
  cluster: "''",
  sender: "'operator'",
  source_format: "'istio-json'",
  source_principal: 'f.source_principal',
  source_evidence: "'verified'",
  source_namespace: 'f.source_principal',
  source_address: "toIPv6OrDefault(splitByChar(':', f.downstream_remote_address)[1])",
  source_port: "toUInt16OrZero(splitByChar(':', f.downstream_remote_address)[2])",
  destination_principal: 'f.destination_principal',
  destination_namespace: 'f.destination_principal',
  destination_service: 'f.requested_server_name',
  destination_address: "toIPv6OrDefault(splitByChar(':', f.downstream_local_address)[1])",
  service_port: '80',
  workload_port: "toUInt16OrZero(splitByChar(':', f.downstream_local_address)[2])",
  authority: 'f.authority',
  sni: 'f.requested_server_name',
  protocol: "'http'",
  method: 'f.method',
  path: 'f.path',
  original_path: 'f.original_path',
  shape: "splitByChar('?', f.path)[1]",
  status: 'f.response_code',
  response_flags: 'f.response_flags',
  decided_by: "''",
  duration_us: 'f.duration * 1000',
  bytes_in: 'f.bytes_received',
  bytes_out: 'f.bytes_sent',
  user_subject: 'f.jwt',
  user_agent: 'f.user_agent',
  mtls: "'yes'",
  tls_version: 'f.tls_version',
  certificate_hash: 'f.certificate_hash',
  trace_id: 'unhex(substring(f.traceparent, 4, 32))',
  span_id: 'unhex(substring(f.traceparent, 37, 16))',
}

const fromFile: Way = {
  name: 'Cinch, from a file',
  storesFacts: true,
  load: async (store, file) => {
    const cinch = await openCinch(store)
    await cinch.ingest('istio-json', '', await openInput(file))
  },
}

const BODY_BYTES = 16 << 20

/** As senders on the network do: requests of 16 MiB, each synced to the spool before it is inserted, two at a time. */
const fromSpool: Way = {
  name: 'Cinch, requests of 16 MiB through the synced spool',
  storesFacts: true,
  load: async (store, file) => {
    const cinch = await openCinch(store)
    const bytes = readFileSync(file)
    const running = new Set<Promise<unknown>>()
    for (let at = 0; at < bytes.length; ) {
      const end = at + BODY_BYTES >= bytes.length ? bytes.length : bytes.lastIndexOf(0x0a, at + BODY_BYTES) + 1
      const work = cinch
        .ingestRequest('istio-json', operator(), bytes.subarray(at, end))
        .finally(() => running.delete(work))
      running.add(work)
      if (running.size >= 2) await Promise.race(running)
      at = end
    }
    await Promise.all(running)
  },
}

export const WAYS: Way[] = [bare, jsonParse, fromFile, fromSpool]
