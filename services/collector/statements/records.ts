import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../store/root.ts'
import { REQUEST_COLUMNS } from '../sources/columns.ts'
import { expand } from '../sources/sql.ts'
import { alsFields } from './als.ts'
import { logFields } from './logs.ts'
import type { Reads } from './schema.ts'
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
  reads: Reads
}

/** What a format yields: a SELECT of the fields, and the settings that it needs. */
export interface RecordFields {
  fields: string
  settings: string
}

/** Columns that these sources tell beside those that every mapping yields. */
const RECORD_COLUMNS = `${REQUEST_COLUMNS}, stage, attempt`

/** The INSERT of a chunk of access log records: Envoy's access log service, or OpenTelemetry logs. */
export function recordStatement(source: string, framing: Framing, input: RecordInput): string {
  if (source === 'envoy-als' && framing === 'lines') return notProtobuf(input)
  const { fields, settings } = source === 'envoy-als' ? alsFields(input) : logFields(framing, input)
  const isLogs = source === 'otlp-logs'
  const told = carrying(
    `stage, attempt${isLogs ? ', is_name_claimed' : ''}`,
    expand(part('common/envoy.sql'), { fields }),
  )
  // At its start nothing has been decided of a request. And whom only its own word names is claimed.
  const evidence = "if(is_name_claimed AND source_evidence = 'address', 'claimed', source_evidence) AS source_evidence"
  const facts = `SELECT * ${isLogs ? 'EXCEPT (is_name_claimed)' : ''} REPLACE (
    if(stage = 'start', 'undecided', decision) AS decision${isLogs ? `, ${evidence}` : ''}) FROM (${told})`
  const settled = expand(part('common/settle.sql'), { facts, redacted: part('common/redact.sql') })
  const body = input.reads === 'input' ? ` FORMAT ${framing === 'protobuf' ? 'ProtobufSingle' : 'LineAsString'}` : ''
  return `INSERT INTO parsed_request (${RECORD_COLUMNS}, source_format) ${input.settings}${settings}
    SELECT ${RECORD_COLUMNS}, '${source}' FROM (${settled})${body}`
}

/** Lets columns that `common/envoy.sql` knows nothing of pass through it. */
export function carrying(columns: string, facts: string): string {
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

const part = (name: string) => readFileSync(join(packageRoot(), 'services/collector/sources', name), 'utf8')
