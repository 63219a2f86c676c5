import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../store/root.ts'

/** Where a chunk comes from: `file` is read by the engine in this process itself, `input` comes with a statement to a server. */
export type Reads = 'file' | 'input'

/** How a statement reads a chunk of protobuf. */
export interface ProtobufInput {
  /** What follows FROM: the chunk as one row with the columns of the structure. */
  requests: string
  /** Settings to follow those of every INSERT. */
  settings: string
}

/**
 * A chunk that is one protobuf message, by the schema beside the source.
 *
 * The embedded engine reads the schema's file. A server cannot, so the schema's text goes with the statement; the engine caches such
 * texts as files (`__cache__/` of its directory for schemas, which for the embedded one would be the working directory). A colon
 * ends the file's name there, so where Cinch is installed below a name with one, the text has to do.
 */
export function protobufInput(source: string, message: string, structure: string, reads: Reads): ProtobufInput {
  const path = join(packageRoot(), 'services/collector/sources', source, 'schema.proto')
  const requests = reads === 'file' ? `file({chunk:String}, 'ProtobufSingle', '${structure}')` : `input('${structure}')`
  if (reads === 'file' && !path.includes(':'))
    return { requests, settings: `, format_schema = ${literal(`${path}:${message}`)}` }
  const schema = literal(readFileSync(path, 'utf8').replaceAll("'", ''))
  return {
    requests,
    settings: `, format_schema_source = 'string', format_schema = ${schema}, format_schema_message_name = '${message}'`,
  }
}

const literal = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
