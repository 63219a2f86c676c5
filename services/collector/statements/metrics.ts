import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../store/root.ts'
import { expand } from '../sources/sql.ts'
import { protobufInput, type Reads } from './schema.ts'

/** What the statements of all sources share; `statements.ts` gives it. */
export interface StatementParts {
  /** Columns of the batch: `{batch}`, `{sender}`, … as they are bound. */
  constants: string
  settings: string
  /** A SELECT of the chunk's lines with the constants. */
  lines: string
  reads: Reads
}

/** Columns that a mapping of metrics yields, in the order of the INSERT. */
const METRIC_COLUMNS = `
  batch, sender, cluster, reject_reason, line, skipped, metric, measure, target, series, instance, time, start, value, delta, reporter,
  source_cluster, source_namespace, source_workload, source_principal, source_evidence, destination_cluster, destination_namespace,
  destination_workload, destination_principal, destination_service, destination_kind, protocol, mtls, status, response_flags`

/** Counters that are read; samples of all others are passed over, and counted as such. */
export const PROMETHEUS_METRICS = [
  'istio_requests_total',
  'istio_requests_created',
  'istio_tcp_connections_opened_total',
  'istio_tcp_connections_opened_created',
  'request_total',
  'response_total',
  'inbound_http_authz_allow_total',
  'inbound_http_authz_deny_total',
]
const OTLP_METRICS = [...PROMETHEUS_METRICS, 'http.server.request.duration', 'http.client.request.duration']

/** The INSERT of a chunk of metrics: exposition text or remote write (`istio-metrics`), OTLP in JSON or protobuf (`otlp-metrics`). */
export function metricStatement(source: string, framing: 'lines' | 'protobuf', parts: StatementParts): string {
  const samples =
    source === 'istio-metrics'
      ? part(framing === 'lines' ? 'istio-metrics/mapping.sql' : 'istio-metrics/remote-write.sql')
      : part('otlp-metrics/mapping.sql').replace('{points}', () =>
          part(framing === 'lines' ? 'otlp-metrics/json.sql' : 'otlp-metrics/protobuf.sql'),
        )
  const protobuf = framing === 'protobuf' ? protobufOf(source, parts.reads) : undefined
  const names = source === 'istio-metrics' ? PROMETHEUS_METRICS : OTLP_METRICS
  const select = expand(withLabels(part('common/metric.sql').replace('{samples}', () => samples)), {
    metrics: names.map((name) => `'${name}'`).join(', '),
    constants: parts.constants,
    lines: parts.lines,
    requests: protobuf?.requests ?? '',
    redacted: part('common/redact.sql'),
  })
  const body = parts.reads === 'input' ? ` FORMAT ${framing === 'lines' ? 'LineAsString' : 'ProtobufSingle'}` : ''
  return `INSERT INTO parsed_metric (${METRIC_COLUMNS}, source_format) ${parts.settings}${protobuf?.settings ?? ''}
    SELECT ${METRIC_COLUMNS}, '${source}' FROM (${select})${body}`
}

/**
 * `{known:label}`: a label's value, empty where it is `unknown`, as Istio writes it. `{first:a|b}`: the first of labels that has a
 * value. `{proxy:x}`: the program behind an address: port 15090 of a sidecar and its agent's 15020 tell the same counters.
 */
function withLabels(sql: string): string {
  return sql
    .replace(/\{known:([\w.]+)\}/g, (_, label: string) => `replaceRegexpOne({attribute:${label}}, '^unknown$', '')`)
    .replace(/\{first:([\w.|]+)\}/g, (_, labels: string) => {
      const values = labels.split('|').map((label) => `{attribute:${label}}`)
      return `arrayFirst(v -> v != '', [${values.join(', ')}])`
    })
    .replace(
      /\{proxy:([^{}]+)\}/g,
      (_, address: string) => `replaceRegexpOne(${address}, ':150(20|90)$', ':istio-proxy')`,
    )
}

const LABELS = 'Array(Tuple(name String, value String))'
const ATTRIBUTES = 'attributes Array(Tuple(key String, value Tuple(string_value String, int_value Int64)))'
const SPAN = 'start_time_unix_nano UInt64, time_unix_nano UInt64, flags UInt32'
const COUNTED = `data_points Array(Tuple(${ATTRIBUTES}, ${SPAN}, count UInt64)), aggregation_temporality Int32`

const PROTOBUF = {
  'istio-metrics': {
    message: 'WriteRequest',
    structure: `timeseries Array(Tuple(labels ${LABELS}, samples Array(Tuple(value Float64, timestamp Int64))))`,
  },
  'otlp-metrics': {
    message: 'ExportMetricsServiceRequest',
    structure: `resource_metrics Array(Tuple(resource Tuple(${ATTRIBUTES}), scope_metrics Array(Tuple(metrics Array(Tuple(name String,
      sum Tuple(data_points Array(Tuple(${ATTRIBUTES}, ${SPAN}, as_double Float64, as_int Int64)), aggregation_temporality Int32, is_monotonic Bool),
      histogram Tuple(${COUNTED}), exponential_histogram Tuple(${COUNTED})))))))`,
  },
}

function protobufOf(source: string, reads: Reads) {
  const { message, structure } = PROTOBUF[source as keyof typeof PROTOBUF]
  return protobufInput(source, message, structure, reads)
}

const part = (name: string) => readFileSync(join(packageRoot(), 'services/collector/sources', name), 'utf8')
