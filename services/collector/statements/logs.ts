import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../store/root.ts'
import { expand } from '../sources/sql.ts'
import { PROXY_CONTAINERS } from './facts.ts'
import type { RecordFields, RecordInput } from './records.ts'
import { protobufInput } from './schema.ts'
import type { Framing } from './statements.ts'

const ATTRIBUTES = 'Array(Tuple(key String, value Tuple(string_value String, int_value Int64)))'
const RECORD_PAIRS = `Array(Tuple(key String, value Tuple(string_value String, int_value Int64, kvlist_value Tuple(values ${ATTRIBUTES}))))`
const LOG_STRUCTURE = `resource_logs Array(Tuple(resource Tuple(attributes ${ATTRIBUTES}), scope_logs Array(Tuple(log_records Array(Tuple(
  time_unix_nano UInt64, body Tuple(string_value String, kvlist_value Tuple(values ${RECORD_PAIRS})), attributes ${RECORD_PAIRS}))))))`

/** The same as JSON names it, with 64-bit numbers as text. */
const jsonNames = (structure: string) =>
  structure
    .replaceAll('string_value', 'stringValue')
    .replaceAll('int_value Int64', 'intValue String')
    .replaceAll('kvlist_value', 'kvlistValue')

const FIELDS = `start_time, method_text, path_text, original_path_text, protocol_text, status_text, flags_text, details, bytes_received, bytes_sent, duration,
  x_forwarded_for, user_agent_text, request_id_text, authority_text, upstream_host, upstream_cluster, upstream_local, downstream_local, downstream_remote,
  client_remote, sni_text, peer_uri, local_uri, xfcc, traceparent, tls_text, tells_no_tls, tells_original, certificate_hash_text, certificate_end_text,
  grpc_status_text, claims_text, rbac_text, field_reject`
const FIELD_NAMES = FIELDS.split(',').map((name) => name.trim())

/**
 * Records as lines, each read by the mapping of its own format: the readers follow one another, each sees only its own lines,
 * and what it told is set aside. The chunk is parsed once.
 */
export function logFields(framing: Framing, { constants, lines, reads }: RecordInput): RecordFields {
  const protobuf = protobufInput('otlp-logs', 'ExportLogsServiceRequest', LOG_STRUCTURE, reads)
  const records =
    framing === 'lines'
      ? expand(part('otlp-logs/json.sql'), { lines, attributes: jsonNames(ATTRIBUTES), pairs: jsonNames(RECORD_PAIRS) })
      : part('otlp-logs/protobuf.sql')
          .replace('{requests}', () => protobuf.requests)
          .replace('{constants}', () => constants)
  const mapping = part('otlp-logs/mapping.sql')
    .replaceAll('{stage}', () => stageOfName('entry_type'))
    .replaceAll(
      /\{scalar:([^{}]+)\}/g,
      (_, x: string) => `if(${x}.1 != '' OR toString(${x}.2) = '0', ${x}.1, toString(${x}.2))`,
    )
    .replaceAll(/\{resource:([^{}]+)\}/g, (_, key: string) => `resource_values[indexOf(resource_keys, '${key}')]`)
    .replaceAll('{containers}', PROXY_CONTAINERS)
    .replaceAll('{records}', () => records)
  const formats = ['istio-text', 'envoy-text', 'istio-json'] as const
  const read = formats.reduce(
    (rows, format) =>
      `SELECT * EXCEPT (text, ${FIELDS}), tuple(${FIELDS}) AS ${setAside(format)} FROM (${lineFields(format, rows)})`,
    expand(mapping, {}),
  )
  const picked = FIELD_NAMES.map((name, at) => {
    const of = (format: string) => `${setAside(format)}.${at + 1}`
    const told = `multiIf(format = 'istio-text', ${of('istio-text')}, format = 'envoy-text', ${of('envoy-text')}, ${of('istio-json')})`
    return name === 'field_reject'
      ? `if(record_reject != '', record_reject, ${told}) AS field_reject`
      : `${told} AS ${name}`
  })
  return {
    fields: `SELECT * EXCEPT (${formats.map(setAside).join(', ')}), ${picked.join(', ')} FROM (${read})`,
    settings: framing === 'protobuf' ? protobuf.settings : '',
  }
}

const setAside = (format: string) => `of_${format.replace('-', '_')}`

/** The fields of the lines in `format` by that format's own mapping; lines in another are empty for it. */
function lineFields(format: string, rows: string): string {
  return expand(part(`${format}/mapping.sql`), {
    unwrap: `SELECT *, if(format = '${format}', text_all, '') AS text FROM (${rows})`,
    request_line: part('common/request_line.sql'),
    text_untold: part('common/text_untold.sql'),
  })
}

const stageOfName = (type: string) =>
  `multiIf(${type} IN ('TcpUpstreamConnected', 'DownstreamStart', 'DownstreamTunnelSuccessfullyEstablished', 'UdpTunnelUpstreamConnected'), 'start',
    ${type} IN ('TcpPeriodic', 'DownstreamPeriodic', 'UdpPeriodic'), 'periodic', 'end')`

const part = (name: string) => readFileSync(join(packageRoot(), 'services/collector/sources', name), 'utf8')
