import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../store/root.ts'
import { LIMITS } from '../../store/store.ts'
import { REQUEST_COLUMNS, SPAN_COLUMNS } from '../sources/columns.ts'
import type { Source } from '../sources/index.ts'
import { expand } from '../sources/sql.ts'
import { ownStatements, PROXY_CONTAINERS } from './facts.ts'
import { metricStatement } from './metrics.ts'
import { carrying, RECORD_SOURCES, recordStatement } from './records.ts'
import { protobufInput, type Reads } from './schema.ts'

/**
 * The INSERT statements of ingest. A source's mapping is the SELECT of the INSERT itself: the engine analyses it once for a
 * chunk. As a materialized view on a landing table it was analysed again for every block, at 100 ms each.
 *
 * Constants of the batch are bound: `{batch}`, `{sender}`, `{cluster}`, `{tenant}`, `{evidence_cap}`, `{speaks_for}`.
 */
export interface Statements {
  /** Inserts the chunk's lines that begin as the source's lines do. */
  plain: string
  /** Inserts the others: prefixed by a container runtime, wrapped by a shipper, or not of this source at all. */
  wrapped?: string
}

const cache = new Map<string, Statements>()

/** Lines that stand alone: what most files are made of. Anything else goes the longer way. */
const isPlain = (begins: string) =>
  `startsWith(line, '${begins}') AND NOT startsWith(line, '[pod/') AND length(line) <= 262144 AND isValidUTF8(line)
   AND position(line, '"log":') = 0 AND position(line, '"message":') = 0 AND position(line, '"kubernetes":') = 0`

/**
 * The statements for a source, for chunks that the engine reads itself (`file`) or that come with the request (`input`).
 * Cached: they are the same for every batch.
 */
export function statementsFor(source: Source, framing: Framing, reads: Reads): Statements {
  const key = `${source.id} ${framing} ${reads}`
  let statements = cache.get(key)
  if (!statements) {
    if (source.yields)
      statements = ownStatements(source, { reads, lines: (format) => chunkLines(reads, format), settings })
    else if (RECORD_SOURCES.includes(source.id))
      statements = {
        plain: recordStatement(source.id, framing, { constants: CONSTANTS, settings, lines: chunkLines(reads), reads }),
      }
    else if (source.kind === 'metrics')
      statements = {
        plain: metricStatement(source.id, framing, { constants: CONSTANTS, settings, lines: chunkLines(reads), reads }),
      }
    else
      statements =
        framing === 'lines' && source.kind === 'lines'
          ? lineStatements(source, reads)
          : { plain: spanStatement(framing, reads) }
    cache.set(key, statements)
  }
  return statements
}

/** How a chunk's bytes are framed. */
export type Framing = 'lines' | 'protobuf'

const settings = `SETTINGS ${LIMITS.ingest}, insert_deduplication_token = {token:String}`

function lineStatements(source: Source, reads: Reads): Statements {
  const plain = `SELECT *, line AS text, '' AS pod_namespace, '' AS pod_workload, '' AS unwrap_reject FROM (${chunkLines(reads)}) WHERE ${isPlain(source.begins ?? '')}`
  const others = `SELECT * FROM (${chunkLines(reads)}) WHERE NOT (${isPlain(source.begins ?? '')})`
  const wrapped = expand(part('common/unwrap.sql'), { landing: `(${others})`, containers: PROXY_CONTAINERS })
  return { plain: requestInsert(source, plain, reads), wrapped: requestInsert(source, wrapped, reads) }
}

function chunkLines(reads: Reads, format: 'LineAsString' | 'RawBLOB' = 'LineAsString'): string {
  const lines = reads === 'file' ? `file({chunk:String}, '${format}', 'line String')` : "input('line String')"
  return `SELECT line, ${CONSTANTS} FROM ${lines}`
}

const CONSTANTS = `{batch:String} AS batch, {sender:String} AS sender, {cluster:String} AS cluster, {tenant:String} AS tenant,
  {evidence_cap:Int8} AS evidence_cap, {speaks_for:String} AS speaks_for`

function requestInsert(source: Source, unwrap: string, reads: Reads): string {
  const fields = expand(part(`${source.id}/mapping.sql`), {
    unwrap,
    request_line: part('common/request_line.sql'),
    text_untold: part('common/text_untold.sql'),
  })
  const told = expand(part('common/envoy.sql'), { fields })
  // Only JSON tells the stage. At its start nothing has been decided of a request.
  const hasStage = source.id === 'istio-json'
  const facts = hasStage
    ? `SELECT * REPLACE (if(stage = 'start', 'undecided', decision) AS decision) FROM (${carrying('stage', told)})`
    : told
  const columns = hasStage ? `${REQUEST_COLUMNS}, stage` : REQUEST_COLUMNS
  const settled = expand(part('common/settle.sql'), { facts, redacted: part('common/redact.sql') })
  return `INSERT INTO parsed_request (${columns}, source_format) ${settings}
    SELECT ${columns}, '${source.id}' FROM (${settled})${reads === 'input' ? ' FORMAT LineAsString' : ''}`
}

function spanStatement(framing: Framing, reads: Reads): string {
  const resource = part('otlp-traces/resource.sql')
  const protobuf = protobufInput('otlp-traces', 'ExportTraceServiceRequest', PROTOBUF_STRUCTURE, reads)
  const format = framing === 'protobuf' ? protobuf.settings : ''
  const spans =
    framing === 'lines'
      ? expand(part('otlp-traces/json.sql'), { lines: chunkLines(reads), resource })
      : expand(part('otlp-traces/protobuf.sql'), { constants: CONSTANTS, requests: protobuf.requests, resource })
  const body = reads === 'input' ? ` FORMAT ${framing === 'lines' ? 'LineAsString' : 'ProtobufSingle'}` : ''
  return `INSERT INTO parsed_span (${SPAN_COLUMNS}, source_format) ${settings}${format}
    SELECT ${SPAN_COLUMNS}, 'otlp-traces' FROM (${expand(part('otlp-traces/mapping.sql'), { spans, redacted: part('common/redact.sql') })})${body}`
}

const ATTRIBUTES =
  'attributes Array(Tuple(key LowCardinality(String), value Tuple(string_value String, int_value Int64)))'
const PROTOBUF_STRUCTURE = `resource_spans Array(Tuple(resource Tuple(${ATTRIBUTES}), scope_spans Array(Tuple(spans Array(Tuple(
  trace_id String, span_id String, parent_span_id String, name String, kind Int32, start_time_unix_nano UInt64, end_time_unix_nano UInt64, ${ATTRIBUTES}))))))`

const part = (name: string) => readFileSync(join(packageRoot(), 'services/collector/sources', name), 'utf8')
