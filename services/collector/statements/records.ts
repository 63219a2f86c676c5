import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../store/root.ts'
import { REQUEST_COLUMNS } from '../sources/columns.ts'
import { expand } from '../sources/sql.ts'
import { PROXY_CONTAINERS } from './facts.ts'
import type { Framing } from './statements.ts'

/** Sources whose records become the fields of an Envoy access log, which `common/envoy.sql` then reads. */
export const RECORD_SOURCES = ['envoy-als', 'otlp-logs']

/** What the statements of all sources share. */
export interface RecordInput {
  /** Columns of the batch, as they are bound. */
  constants: string
  settings: string
  /** A SELECT of the chunk's lines with the constants. */
  lines: string
  reads: 'file' | 'input'
}

/** Columns that these sources tell beside those that every mapping yields. */
const RECORD_COLUMNS = `${REQUEST_COLUMNS}, stage, attempt`

/** The INSERT of a chunk of access log records: Envoy's access log service, or OpenTelemetry logs. */
export function recordStatement(source: string, framing: Framing, input: RecordInput): string {
  if (source === 'envoy-als' && framing === 'lines') return notProtobuf(input)
  const fields = source === 'envoy-als' ? alsFields(input) : logFields(framing, input)
  const facts = carrying('stage, attempt', expand(part('common/envoy.sql'), { fields }))
  const settled = expand(part('common/settle.sql'), { facts, redacted: part('common/redact.sql') })
  const schema = framing === 'protobuf' ? schemaSettings(source) : ''
  const body = input.reads === 'input' ? ` FORMAT ${framing === 'protobuf' ? 'ProtobufSingle' : 'LineAsString'}` : ''
  return `INSERT INTO parsed_request (${RECORD_COLUMNS}, source_format) ${input.settings}${schema}
    SELECT ${RECORD_COLUMNS}, '${source}' FROM (${settled})${body}`
}

/** Lets columns that `common/envoy.sql` knows nothing of pass through it. */
function carrying(columns: string, facts: string): string {
  const carried = facts.replace(/^SELECT\s+sender,/m, `SELECT ${columns}, sender,`)
  if (carried === facts) throw new Error('common/envoy.sql no longer begins with the sender')
  return carried
}

/** Text that was given as Envoy's access log service: every line is a reject. */
function notProtobuf({ settings, lines, reads }: RecordInput): string {
  const columns = 'sender, tenant, batch, evidence_cap, speaks_for, cluster'
  return `INSERT INTO parsed_request (${columns}, line, reject_reason, source_format) ${settings}
    SELECT ${columns}, ${part('common/redact.sql')}, 'not_protobuf', 'envoy-als' FROM (${lines})
    WHERE line != '' AND line != '\\r'${reads === 'input' ? ' FORMAT LineAsString' : ''}`
}

function schemaSettings(source: string): string {
  const schema = part(`${source}/schema.proto`).replaceAll("'", '')
  const message = source === 'envoy-als' ? 'AlsBatch' : 'ExportLogsServiceRequest'
  return `, format_schema_source = 'string', format_schema = '${schema}', format_schema_message_name = '${message}'`
}

const messages = (structure: string, reads: 'file' | 'input') =>
  reads === 'file' ? `file({chunk:String}, 'ProtobufSingle', '${structure}')` : `input('${structure}')`

// Envoy's access log service.

const PAIRS = 'Array(Tuple(key String, value String))'
const ADDRESS = `Tuple(socket_address Tuple(address String, port_value UInt32), pipe Tuple(path String),
  envoy_internal_address Tuple(server_listener_name String, endpoint_id String))`
const SECONDS = 'Tuple(seconds Int64, nanos Int32)'
const CERTIFICATE = 'Tuple(subject_alt_name Array(Tuple(uri String)))'
/** Envoy's short names in the order of the fields of `ResponseFlags`. (docs: access log usage, RESPONSE_FLAGS) */
const FLAGS = [
  'LH',
  'UH',
  'UT',
  'LR',
  'UR',
  'UF',
  'UC',
  'UO',
  'NR',
  'DI',
  'FI',
  'RL',
  'UAEX',
  'RLSE',
  'DC',
  'URX',
  'SI',
  'IH',
].concat(['DPE', 'UMSDR', 'RFCF', 'NFCF', 'DT', 'UPE', 'NC', 'OM', 'DF', 'DR'])
const FLAG_TYPES = FLAGS.map((flag) => (flag === 'UAEX' ? 'UAEX Tuple(reason Int32)' : `${flag} Bool`)).join(', ')
const CLAIM =
  'Tuple(key String, value Tuple(number_value Float64, string_value String, list_value Tuple(values Array(Tuple(string_value String)))))'
const METADATA = `Tuple(filter_metadata Array(Tuple(key String, value Tuple(fields Array(Tuple(key String,
  value Tuple(string_value String, struct_value Tuple(fields Array(${CLAIM})))))))))`
const COMMON = `Tuple(downstream_remote_address ${ADDRESS}, downstream_local_address ${ADDRESS},
  tls_properties Tuple(tls_version Int32, tls_sni_hostname String, local_certificate_properties ${CERTIFICATE}, peer_certificate_properties ${CERTIFICATE}),
  start_time ${SECONDS}, time_to_last_downstream_tx_byte ${SECONDS}, upstream_remote_address ${ADDRESS}, upstream_local_address ${ADDRESS}, upstream_cluster String,
  response_flags Tuple(${FLAG_TYPES}), metadata ${METADATA}, downstream_direct_remote_address ${ADDRESS}, custom_tags ${PAIRS}, duration ${SECONDS},
  upstream_request_attempt_count UInt32, connection_termination_details String, intermediate_log_entry Bool, access_log_type Int32)`
/** The same for HTTP and TCP, so that both are one array: `schema.proto` gives each the fields that it lacks. */
const ENTRY = `Tuple(common_properties ${COMMON}, protocol_version Int32,
  request Tuple(request_method Int32, authority String, path String, user_agent String, forwarded_for String, request_id String, original_path String,
    request_body_bytes UInt64, request_headers ${PAIRS}),
  response Tuple(response_code Tuple(value UInt32), response_body_bytes UInt64, response_headers ${PAIRS}, response_trailers ${PAIRS}, response_code_details String),
  connection_properties Tuple(received_bytes UInt64, sent_bytes UInt64))`
const NODE = 'Tuple(id String, metadata Tuple(fields Array(Tuple(key String, value Tuple(string_value String)))))'
const ALS_STRUCTURE = `streams Array(Tuple(identifier Tuple(node ${NODE}), http_logs Tuple(log_entry Array(${ENTRY})), tcp_logs Tuple(log_entry Array(${ENTRY}))))`

function alsFields({ constants, reads }: RecordInput): string {
  const mapping = part('envoy-als/mapping.sql')
    .replaceAll('{stage}', () => stageOfNumber('e.1.access_log_type', 'e.1.intermediate_log_entry'))
    .replaceAll(/\{address:([^{}]+)\}/g, (_, x: string) => addressText(x))
    .replaceAll(/\{milliseconds:([^{}]+)\}/g, (_, x: string) => milliseconds(x))
    .replaceAll(/\{flags:([^{}]+)\}/g, (_, x: string) => flagsText(x))
    .replaceAll(
      /\{filter:([^{}]+)\}/g,
      (_, name: string) => `e.1.metadata.filter_metadata[indexOf(metadata_names, '${name}')].value.fields`,
    )
    .replaceAll(
      /\{claim:([^{}]+)\}/g,
      (_, name: string) => `toJSONString(claim_values[indexOf(claim_names, '${name}')].string_value)`,
    )
    .replaceAll(
      /\{claims:([^{}]+)\}/g,
      (_, name: string) =>
        `toJSONString(arrayMap(item -> item.1, claim_values[indexOf(claim_names, '${name}')].list_value.values))`,
    )
    .replaceAll('{requests}', () => messages(ALS_STRUCTURE, reads))
    .replaceAll('{constants}', () => constants)
  return withWorkloads(mapping)
}

/** As Envoy writes addresses in its logs: `10.1.2.3:80`, `[fd00::1]:80`, `/run/a.sock`, `envoy://connect_originate/10.1.2.3:80`. */
function addressText(x: string): string {
  const host = `${x}.socket_address.address`
  return `multiIf(
    ${host} != '', concat(if(position(${host}, ':') > 0, concat('[', ${host}, ']'), ${host}), ':', toString(${x}.socket_address.port_value)),
    ${x}.pipe.path != '', ${x}.pipe.path,
    ${x}.envoy_internal_address.server_listener_name != '', concat('envoy://', ${x}.envoy_internal_address.server_listener_name, '/', ${x}.envoy_internal_address.endpoint_id), '')`
}

/** A duration in milliseconds with its microseconds; `common/envoy.sql` makes microseconds of it. */
const milliseconds = (x: string) =>
  `(CAST(least(greatest(${x}.seconds, 0), 1000000000) * 1000000 + intDiv(greatest(${x}.nanos, 0), 1000), 'Decimal64(3)') / 1000)`

function flagsText(x: string): string {
  const set = FLAGS.map((flag) => (flag === 'UAEX' ? `${x}.UAEX.reason = 1` : `${x}.${flag}`)).join(', ')
  return `arrayStringConcat(arrayFilter((name, is_set) -> is_set, [${FLAGS.map((flag) => `'${flag}'`).join(', ')}], [${set}]), ',')`
}

/** `AccessLogType`: 1 TcpUpstreamConnected, 4 DownstreamStart, 10 and 11 tunnels; 2, 5 and 12 periodic. Older Envoys only tell that an entry is not the last. */
const stageOfNumber = (type: string, intermediate: string) =>
  `multiIf(${type} IN (1, 4, 10, 11), 'start', ${type} IN (2, 5, 12) OR (${type} = 0 AND ${intermediate}), 'periodic', 'end')`

// OpenTelemetry logs.

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
function logFields(framing: Framing, { constants, lines, reads }: RecordInput): string {
  const records =
    framing === 'lines'
      ? expand(part('otlp-logs/json.sql'), { lines, attributes: jsonNames(ATTRIBUTES), pairs: jsonNames(RECORD_PAIRS) })
      : part('otlp-logs/protobuf.sql')
          .replace('{requests}', () => messages(LOG_STRUCTURE, reads))
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
    withWorkloads(mapping),
  )
  const picked = FIELD_NAMES.map((name, at) => {
    const of = (format: string) => `${setAside(format)}.${at + 1}`
    const told = `multiIf(format = 'istio-text', ${of('istio-text')}, format = 'envoy-text', ${of('envoy-text')}, ${of('istio-json')})`
    return name === 'field_reject'
      ? `if(record_reject != '', record_reject, ${told}) AS field_reject`
      : `${told} AS ${name}`
  })
  return `SELECT * EXCEPT (${formats.map(setAside).join(', ')}), ${picked.join(', ')} FROM (${read})`
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

/** `{workload:pod}`: a pod's name without the hashes of its ReplicaSet, DaemonSet or StatefulSet, as `unwrap.sql` does it. */
function withWorkloads(mapping: string): string {
  const random = 'bcdfghjklmnpqrstvwxz2456789'
  const hashes = `(-[${random}]{5,10})?-([${random}]{5}|[0-9]{1,4})$`
  return mapping.replaceAll(/\{workload:([^{}]+)\}/g, (_, pod: string) => `replaceRegexpOne(${pod}, '${hashes}', '')`)
}

const part = (name: string) => readFileSync(join(packageRoot(), 'services/collector/sources', name), 'utf8')
