import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../store/root.ts'
import { DIRECTORY_COLUMNS } from '../sources/columns.ts'
import type { Source } from '../sources/index.ts'
import { expandJson } from '../sources/json.ts'
import { expand } from '../sources/sql.ts'
import type { LineInput } from './facts.ts'
import type { Statements } from './statements.ts'

/**
 * The INSERT of a source of directory events. All lines go one way: they are few beside requests, and each is looked at for what a
 * runtime or a shipper put around it.
 */
export function directoryStatements(source: Source, { reads, lines, settings }: LineInput): Statements {
  const unwrapped = expand(part('common/unwrap.sql'), { landing: `(${lines('LineAsString')})`, containers: '' })
  const events = expand(part('common/events.sql'), { unwrapped })
  const fields = expand(expandJson(part(`${source.id}/mapping.sql`)), { events })
  const rows = expand(expandJson(part('common/directory.sql')), { fields, redacted: part('common/redact.sql') })
  return {
    plain: `INSERT INTO parsed_directory_event (${DIRECTORY_COLUMNS}, source_format) ${settings}
      SELECT ${DIRECTORY_COLUMNS}, '${source.id}' FROM (${rows})${reads === 'input' ? ' FORMAT LineAsString' : ''}`,
  }
}

const part = (name: string) => readFileSync(join(packageRoot(), 'services/collector/sources', name), 'utf8')
