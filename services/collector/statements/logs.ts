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

/** The same as JSON names it; numbers may be given as text. */
const jsonNames = (structure: string) =>
  structure
    .replaceAll('string_value', 'stringValue')
    .replaceAll('int_value', 'intValue')
    .replaceAll('kvlist_value', 'kvlistValue')

/** What the two text formats tell; of the rest their mappings say nothing, as the mapping of JSON does for a line that is not its own. */
const TOLD_BY_TEXT =
  `start_time, method_text, path_text, protocol_text, status_text, flags_text, details, bytes_received, bytes_sent, duration,
  x_forwarded_for, user_agent_text, request_id_text, authority_text, upstream_host, upstream_cluster, upstream_local, downstream_local, downstream_remote,
  client_remote, sni_text, field_reject`
    .split(',')
    .map((name) => name.trim())
const UNTOLD_BY_TEXT = `original_path_text, peer_uri, local_uri, xfcc, traceparent, tls_text, tells_no_tls, tells_original, certificate_hash_text,
  certificate_end_text, grpc_status_text, claims_text, rbac_text, operation_text`

/** What a reject of a record of keys shows; never keys that Cinch does not know. */
const SHOWN = [
  'start_time',
  'method',
  'path',
  'response_code',
  'response_flags',
  'authority',
  'user_agent',
  'upstream_cluster',
]

/**
 * Records as lines, each read by the mapping of its own format: the readers follow one another, each sees only its own lines,
 * and what it told stands under names of its own. The chunk is parsed once.
 */
export function logFields(framing: Framing, { constants, lines, reads }: RecordInput): RecordFields {
  const protobuf = protobufInput('otlp-logs', 'ExportLogsServiceRequest', LOG_STRUCTURE, reads)
  const records = part(framing === 'lines' ? 'otlp-logs/json.sql' : 'otlp-logs/protobuf.sql')
    .replace('{resource}', () => part('otlp-logs/resource.sql'))
    .replace('{requests}', () => protobuf.requests)
    .replace('{constants}', () => constants)
    .replace('{lines}', () => lines)
    .replaceAll('{attributes}', jsonNames(ATTRIBUTES))
    .replaceAll('{pairs}', jsonNames(RECORD_PAIRS))
  const mapping = part('otlp-logs/mapping.sql')
    .replaceAll('{containers}', PROXY_CONTAINERS)
    .replaceAll('{records}', () => records)
    .replaceAll(/\{scalars:([^{}]+)\}/g, (_, x: string) => `arrayMap(v -> ${scalar('v')}, ${x})`)
  const texts = (['istio-text', 'envoy-text'] as const).reduce(
    (rows, format) =>
      `SELECT * EXCEPT (text, ${TOLD_BY_TEXT.join(', ')}, ${UNTOLD_BY_TEXT}), ${TOLD_BY_TEXT.map((name) => `${name} AS ${setAside(format, name)}`).join(', ')}
       FROM (${lineFields(part(`${format}/mapping.sql`), format, rows)})`,
    expand(mapping, {}),
  )
  const picked = TOLD_BY_TEXT.map((name) => {
    const told = `multiIf(format = 'istio-text', ${setAside('istio-text', name)}, format = 'envoy-text', ${setAside('envoy-text', name)}, told.${name})`
    return name === 'field_reject'
      ? `if(record_reject != '', record_reject, ${told}) AS field_reject`
      : `${told} AS ${name}`
  })
  const shown = SHOWN.map((key) => `\`f.${key}\``).join(`, ' ', `)
  return {
    fields: `SELECT sender, tenant, batch, evidence_cap, speaks_for, cluster,
      pod_namespace, pod_workload, is_name_claimed, stage, 0 AS attempt,
      multiIf(refused != '', refused, has_keys, concat(${shown}), body_text) AS line,
      ${picked.join(', ')}, ${UNTOLD_BY_TEXT}
      FROM (${lineFields(keyed(part('istio-json/mapping.sql')), 'istio-json', texts)}) AS told`,
    settings: framing === 'protobuf' ? protobuf.settings : '',
  }
}

const setAside = (format: string, name: string) => `${format.replace('-', '_')}_${name}`

/** A value as text: OpenTelemetry's numbers are of a branch of their own. */
const scalar = (value: string) => `if(${value}.2 = 0, ${value}.1, toString(${value}.2))`

/** The fields of the lines in `format` by that format's own mapping; lines in another are empty for it. */
function lineFields(mapping: string, format: string, rows: string): string {
  return expand(mapping, {
    unwrap: `SELECT *, if(format = '${format}', text_all, '') AS text FROM (${rows})`,
    request_line: part('common/request_line.sql'),
    text_untold: part('common/text_untold.sql'),
  })
}

/**
 * The mapping of JSON lines for records of keys as well: what it takes from the line's object is looked up among the keys where
 * there are such. Writing keys as JSON, for it to parse, cost 20 us a record.
 */
function keyed(mapping: string): string {
  const object = /untuple\(JSONExtract\(text, 'Tuple\(([^']*)\)'\)\) AS f\b/.exec(mapping)
  const types = object?.[1]?.split(',').map((field) => field.trim().split(' ') as [name: string, type: string])
  if (!object || !types) throw new Error('istio-json/mapping.sql no longer takes its fields from one JSONExtract')
  const fields = types.map(
    ([name, type]) =>
      `${asType(type, `if(has_keys, ${keyValue(name)}, toString(\`object.${name}\`))`)} AS \`f.${name}\``,
  )
  return mapping
    .replace(object[0], () => fields.join(',\n    '))
    .replace(
      'FROM ({unwrap})',
      () => `FROM (SELECT *, untuple(JSONExtract(text, 'Tuple(${object[1]})')) AS object FROM ({unwrap}))`,
    )
    .replaceAll(
      /position\(text, '"(\w+)"'\) > 0/g,
      (told, name: string) => `(${told} OR (has_keys AND has(keys, '${name}')))`,
    )
}

const asType = (type: string, text: string) =>
  type === 'String' ? text : type === 'UInt64' ? `toUInt64OrZero(${text})` : `CAST(${text}, '${type}')`

function keyValue(name: string): string {
  const value = `values[indexOf(keys, '${name}')]`
  if (name === 'start_time') return `if(record_time != '', record_time, ${value})`
  if (name !== 'jwt') return value
  // A list of claims, which may be lists in turn, told as their JSON; "-" is "not told".
  return `if(empty(claims), ${value}, concat('{', arrayStringConcat(arrayMap(c -> concat(toJSONString(c.1), ':',
    if(startsWith(c.2.1, '[') AND isValidJSON(c.2.1), c.2.1, toJSONString(if(c.2.1 = '-', '', ${scalar('c.2')})))), claims), ','), '}'))`
}

const part = (name: string) => readFileSync(join(packageRoot(), 'services/collector/sources', name), 'utf8')
