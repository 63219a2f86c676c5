import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../store/root.ts'
import { expand } from '../sources/sql.ts'
import type { RecordFields, RecordInput } from './records.ts'
import { protobufInput } from './schema.ts'

const ADDRESS = `Tuple(socket_address Tuple(address String, port_value UInt32), pipe Tuple(path String),
  envoy_internal_address Tuple(server_listener_name String, endpoint_id String))`
const SECONDS = 'Tuple(seconds Int64, nanos Int32)'
/** Envoy's short names in the order of the fields of `ResponseFlags`. (docs: access log usage, RESPONSE_FLAGS) */
const FLAGS = 'LH UH UT LR UR UF UC UO NR DI FI RL UAEX RLSE DC URX SI IH DPE UMSDR RFCF NFCF DT UPE NC OM DF DR'.split(
  ' ',
)
const CLAIM =
  'Tuple(key String, value Tuple(number_value Float64, string_value String, list_value Tuple(values Array(Tuple(string_value String)))))'

/** A column of an entry: its name in `mapping.sql`, the field that it is of, its type. */
type Column = [name: string, field: string, type: string]

/** Of every entry. Types are short: whatever touches a column costs its type's length in the analysis. */
const OF_ALL: Column[] = [
  ['downstream_remote_address', 'common_properties.downstream_remote_address', ADDRESS],
  ['downstream_local_address', 'common_properties.downstream_local_address', ADDRESS],
  ['direct_remote_address', 'common_properties.downstream_direct_remote_address', ADDRESS],
  ['upstream_remote_address', 'common_properties.upstream_remote_address', ADDRESS],
  ['upstream_local_address', 'common_properties.upstream_local_address', ADDRESS],
  ['tls_version', 'common_properties.tls_properties.tls_version', 'Int32'],
  ['sni_text', 'common_properties.tls_properties.tls_sni_hostname', 'String'],
  ['local_uris', 'common_properties.tls_properties.local_certificate_properties.subject_alt_name.uri', 'Array(String)'],
  ['peer_uris', 'common_properties.tls_properties.peer_certificate_properties.subject_alt_name.uri', 'Array(String)'],
  ['started', 'common_properties.start_time', SECONDS],
  ['lasted', 'common_properties.duration', SECONDS],
  ['cluster_told', 'common_properties.upstream_cluster', 'String'],
  ['flags', 'common_properties.response_flags', `Tuple(${FLAGS.map((flag) => `${flag} String`).join(', ')})`],
  ['metadata_names', 'common_properties.metadata.filter_metadata.key', 'Array(String)'],
  [
    'metadata',
    'common_properties.metadata.filter_metadata.value.fields',
    `Array(Array(Tuple(key String, value Tuple(string_value String, struct_value Tuple(fields Array(${CLAIM}))))))`,
  ],
  ['tag_names', 'common_properties.custom_tags.key', 'Array(String)'],
  ['tags', 'common_properties.custom_tags.value', 'Array(String)'],
  ['attempts', 'common_properties.upstream_request_attempt_count', 'UInt32'],
  ['termination', 'common_properties.connection_termination_details', 'String'],
  ['is_intermediate', 'common_properties.intermediate_log_entry', 'Bool'],
  ['entry_type', 'common_properties.access_log_type', 'Int32'],
  ['received', 'connection_properties.received_bytes', 'UInt64'],
  ['sent', 'connection_properties.sent_bytes', 'UInt64'],
]

/** Of the entries of HTTP only. */
const OF_HTTP: Column[] = [
  ['protocol_version', 'protocol_version', 'Int32'],
  ['request_method', 'request.request_method', 'Int32'],
  ['authority_text', 'request.authority', 'String'],
  ['path_text', 'request.path', 'String'],
  ['user_agent_text', 'request.user_agent', 'String'],
  ['x_forwarded_for', 'request.forwarded_for', 'String'],
  ['request_id_text', 'request.request_id', 'String'],
  ['original_path_text', 'request.original_path', 'String'],
  ['request_bytes', 'request.request_body_bytes', 'UInt64'],
  ['header_names', 'request.request_headers.key', 'Array(String)'],
  ['headers', 'request.request_headers.value', 'Array(String)'],
  ['response_code', 'response.response_code.value', 'UInt32'],
  ['response_bytes', 'response.response_body_bytes', 'UInt64'],
  ['answer_names', 'response.response_headers.key', 'Array(String)'],
  ['answers', 'response.response_headers.value', 'Array(String)'],
  ['trailer_names', 'response.response_trailers.key', 'Array(String)'],
  ['trailers', 'response.response_trailers.value', 'Array(String)'],
  ['code_details', 'response.response_code_details', 'String'],
]

const http = (field: string) => `\`streams.http_logs.log_entry.${field}\``
const tcp = (field: string) => `\`streams.tcp_logs.log_entry.${field}\``

/** `AlsBatch` with a column for each field that is used: nothing is taken apart by the engine's slow handling of long tuples. */
const STRUCTURE = [
  ...[...OF_ALL, ...OF_HTTP].map(([, field, type]) => `${http(field)} Array(Array(${type}))`),
  ...OF_ALL.map(([, field, type]) => `${tcp(field)} Array(Array(${type}))`),
  '`streams.identifier.node.id` Array(String)',
  '`streams.identifier.node.metadata.fields.key` Array(Array(String))',
  '`streams.identifier.node.metadata.fields.value.string_value` Array(Array(String))',
].join(', ')

/** The fields of the entries in a chunk of Envoy's access log service, as `common/envoy.sql` takes them. */
export function alsFields({ constants, reads }: RecordInput): RecordFields {
  const { requests, settings } = protobufInput('envoy-als', 'AlsBatch', STRUCTURE, reads)
  const streams = [...OF_ALL, ...OF_HTTP].map(([name, field]) => `${http(field)} AS http_${name}`)
  const both = [...streams, ...OF_ALL.map(([name, field]) => `${tcp(field)} AS tcp_${name}`)]
  const entries = [
    ...OF_ALL.map(([name]) => `arrayConcat(http_${name}, tcp_${name}) AS ${name}`),
    ...OF_HTTP.map(([name]) => `arrayResize(http_${name}, entries) AS ${name}`),
  ]
  const mapping = readFileSync(join(packageRoot(), 'services/collector/sources/envoy-als/mapping.sql'), 'utf8')
    .replaceAll('{stage}', () => stageOfNumber('entry_type', 'is_intermediate'))
    .replaceAll(/\{address:([^{}]+)\}/g, (_, x: string) => addressText(x))
    .replaceAll(/\{milliseconds:([^{}]+)\}/g, (_, x: string) => milliseconds(x))
    .replaceAll(/\{metadata:([^{}]+)\}/g, (_, name: string) => `metadata[indexOf(metadata_names, '${name}')]`)
    .replaceAll(/\{list:([^{}]+)\}/g, (_, name: string) => textsOf(`{claim:${name}}`))
    .replaceAll(/\{claim:([^{}]+)\}/g, (_, name: string) => `claim_values[indexOf(claim_names, '${name}')]`)
    .replaceAll('{streams}', () => both.join(', '))
    .replaceAll('{stream_columns}', () => both.map((column) => column.split(' AS ')[1]).join(', '))
    .replaceAll('{entries}', () => entries.join(', '))
    .replaceAll('{requests}', () => requests)
    .replaceAll('{constants}', () => constants)
  return { fields: expand(mapping, {}), settings }
}

/** As Envoy writes addresses in its logs: `10.1.2.3:80`, `[fd00::1]:80`, `/run/a.sock`, `envoy://connect_originate/10.1.2.3:80`. */
function addressText(x: string): string {
  const host = `${x}.socket_address.address`
  return `multiIf(
    ${host} != '', concat(if(position(${host}, ':') > 0, concat('[', ${host}, ']'), ${host}), ':', toString(${x}.socket_address.port_value)),
    ${x}.pipe.path != '', ${x}.pipe.path,
    ${x}.envoy_internal_address.server_listener_name != '', concat('envoy://', ${x}.envoy_internal_address.server_listener_name, '/', ${x}.envoy_internal_address.endpoint_id), '')`
}

/** A claim of several texts: a token of one may hold it instead of a list. */
const textsOf = (claim: string) =>
  `arrayFilter(name -> name != '', arrayPushBack(${claim}.list_value.values.string_value, ${claim}.string_value))`

/** A duration in milliseconds with its microseconds; `common/envoy.sql` makes microseconds of it. */
const milliseconds = (x: string) =>
  `(CAST(least(greatest(${x}.seconds, 0), 1000000000) * 1000000 + intDiv(greatest(${x}.nanos, 0), 1000), 'Decimal64(3)') / 1000)`

/** `AccessLogType`: 1 TcpUpstreamConnected, 4 DownstreamStart, 10 and 11 tunnels; 2, 5 and 12 periodic. Older Envoys only tell that an entry is not the last. */
const stageOfNumber = (type: string, intermediate: string) =>
  `multiIf(${type} IN (1, 4, 10, 11), 'start', ${type} IN (2, 5, 12) OR (${type} = 0 AND ${intermediate}), 'periodic', 'end')`
