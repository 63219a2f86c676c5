/** The pieces of a request as the HTTP interface of ClickHouse takes them: everything but the body is in the URL. */
export interface HttpStatement {
  /** `param_*` without the prefix, in the escaped text form of the interface. */
  params: [name: string, text: string][]
  /** Whatever else the URL carries: settings of the engine. */
  settings: [name: string, text: string][]
  database: string
  /** Output format where the statement names none. */
  format: string
  queryId: string
  sql: string
  /** Data that follows the statement; empty where the body was the statement itself. */
  data: Buffer
}

/** Parts of the URL that are the interface's own and no settings. */
const RESERVED = new Set([
  'query',
  'database',
  'default_format',
  'query_id',
  'session_id',
  'session_timeout',
  'role',
  'user',
  'password',
])

/** Reads a request: the statement is `?query=`, with the body behind it; without data, the body may be the statement. */
export function readStatement(url: URL, body: Buffer): HttpStatement {
  const entries = [...url.searchParams]
  const inUrl = url.searchParams.get('query') ?? ''
  const bodyIsStatement = inUrl === ''
  return {
    params: entries
      .filter(([name]) => name.startsWith('param_'))
      .map(([name, text]) => [name.slice('param_'.length), text]),
    settings: entries.filter(([name]) => !RESERVED.has(name) && !name.startsWith('param_')),
    database: url.searchParams.get('database') ?? '',
    format: url.searchParams.get('default_format') ?? 'TabSeparated',
    queryId: url.searchParams.get('query_id') ?? crypto.randomUUID(),
    sql: bodyIsStatement ? body.toString('utf8') : inUrl,
    data: bodyIsStatement ? Buffer.alloc(0) : body,
  }
}

/** A string literal of ClickHouse. */
export function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

/** What stands before a statement on a session of its own: its database, settings and parameters. */
export function prelude(statement: HttpStatement, isSetting: (name: string) => boolean): string[] {
  const use = statement.database === '' ? [] : [`USE \`${statement.database.replaceAll('`', '\\`')}\``]
  const settings = statement.settings
    .filter(([name]) => isSetting(name))
    .map(([name, text]) => `SET ${name} = ${literal(text)}`)
  const params = statement.params.map(([name, text]) => `SET param_${name} = ${literal(text)}`)
  return [...use, ...settings, ...params]
}

const INPUT_CALL = /\binput\(\s*('(?:[^'\\]|\\.)*')\s*\)/g
const TRAILING_FORMAT = /\bFORMAT\s+(\w+)\s*;?\s*$/i

/**
 * An INSERT that selects from `input('structure')` reads the body. The embedded engine has no body, so the statement reads
 * a file of the same bytes. Undefined for other statements. Throws where the server would refuse: no format, two inputs.
 */
export function readingFile(sql: string, path: string): string | undefined {
  const calls = [...sql.matchAll(INPUT_CALL)]
  if (calls.length === 0) return undefined
  if (calls.length > 1)
    throw new Error("Code: 36. DB::Exception: You can use 'input()' function only once per request. (BAD_ARGUMENTS)")
  const format = TRAILING_FORMAT.exec(sql)?.[1]
  if (!format)
    throw new Error(
      'Code: 62. DB::Exception: Syntax error: FORMAT section is expected where the SELECT has input(). (SYNTAX_ERROR)',
    )
  return sql
    .replace(TRAILING_FORMAT, '')
    .replace(INPUT_CALL, (_, structure: string) => `file(${literal(path)}, ${literal(format)}, ${structure})`)
}
