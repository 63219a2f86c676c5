import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../store/root.ts'
import { REQUEST_COLUMNS, SPAN_COLUMNS } from '../sources/columns.ts'
import type { Source } from '../sources/index.ts'
import { expand } from '../sources/sql.ts'
import { directoryStatements } from './directory.ts'
import type { Statements } from './statements.ts'

/** Where a chunk's lines come from, and the settings of every INSERT. */
export interface LineInput {
  /** `file` is read by the engine itself, `input` comes with the statement. */
  reads: 'file' | 'input'
  /** A SELECT of `line` and the batch's constants: of each line, or of the whole chunk as one (`RawBLOB`). */
  lines: (format: 'LineAsString' | 'RawBLOB') => string
  settings: string
}

/** Columns that a mapping of facts yields beside those that every mapping yields. */
const FACT_COLUMNS = `${REQUEST_COLUMNS}, stage`

/** Containers whose lines are a proxy's, where the source does not say otherwise. */
export const PROXY_CONTAINERS = 'proxy|envoy|dataplane|gateway'

/** The INSERT statements of a source whose mapping yields facts, spans or directory events itself (`Source.yields`). */
export function ownStatements(source: Source, input: LineInput): Statements {
  if (source.yields === 'directory') return directoryStatements(source, input)
  return source.yields === 'spans' ? spanStatements(source, input) : factStatements(source, input)
}

function factStatements(source: Source, { reads, lines, settings }: LineInput): Statements {
  const plain = isPlain(source.plain ?? '')
  const bare = `SELECT *, trimRight(line, '\\r') AS text, '' AS pod_namespace, '' AS pod_workload, '' AS unwrap_reject FROM (${lines('LineAsString')}) WHERE ${plain}`
  const others = `SELECT * FROM (${lines('LineAsString')}) WHERE NOT (${plain})`
  const unwrapped = expand(part('common/unwrap.sql'), {
    landing: `(${others})`,
    containers: source.containers ?? PROXY_CONTAINERS,
  })
  const wrapped = `SELECT * REPLACE (trimRight(text, '\\r') AS text) FROM (${unwrapped})`
  const insert = (unwrap: string) => {
    const fields = expand(part(`${source.id}/mapping.sql`), {
      unwrap,
      untold: part('common/untold.sql'),
    })
    const facts = expand(part('common/facts.sql'), { fields })
    const settled = expand(part('common/settle.sql'), { facts, redacted: part('common/redact.sql') })
    return `INSERT INTO parsed_request (${FACT_COLUMNS}, source_format) ${settings}
      SELECT ${FACT_COLUMNS}, '${source.id}' FROM (${settled})${reads === 'input' ? ' FORMAT LineAsString' : ''}`
  }
  return { plain: insert(bare), wrapped: insert(wrapped) }
}

/** Lines that stand alone: the others are looked at once more for what a runtime or a shipper put around them. */
const isPlain = (pattern: string) =>
  `match(line, '${pattern}') AND length(line) <= 262144 AND isValidUTF8(line)
   AND position(line, '"log":') = 0 AND position(line, '"kubernetes":') = 0`

/** Spans in documents of their own, which may span lines, brought to what `otlp-traces` reads. */
function spanStatements(source: Source, { reads, lines, settings }: LineInput): Statements {
  const spans = expand(part(`${source.id}/mapping.sql`), {
    chunk: lines('RawBLOB'),
    resource: part('otlp-traces/resource.sql'),
  })
  const rows = expand(part('otlp-traces/mapping.sql'), { spans, redacted: part('common/redact.sql') })
  return {
    plain: `INSERT INTO parsed_span (${SPAN_COLUMNS}, source_format) ${settings}
      SELECT ${SPAN_COLUMNS}, '${source.id}' FROM (${rows})${reads === 'input' ? ' FORMAT RawBLOB' : ''}`,
  }
}

const part = (name: string) => readFileSync(join(packageRoot(), 'services/collector/sources', name), 'utf8')
