import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gunzipSync, gzipSync } from 'node:zlib'
import type * as chdb from 'chdb'
import { type HttpStatement, literal, prelude, readingFile, readStatement } from './statement.ts'

/*
 * A ClickHouse server for tests: the HTTP interface, as far as @clickhouse/client uses it, in front of the embedded engine,
 * which is the same engine of the same version. What it cannot show: clusters and replication, users and quotas, streaming
 * of large results, failures of the network. Run as a process of its own, since the engine takes one directory per process:
 * `node clickhouse-http.ts DIRECTORY [PASSWORD]` prints its URL, and ends when its standard input does.
 */

const { Session } = createRequire(import.meta.url)('chdb') as typeof chdb

/** The server's own default (`http_max_uri_size`): a source's mapping goes in the URL, so a longer one would fail there too. */
const URI_BYTES_MAX = 1 << 20

/** HTTP statuses by error code, where the server's differ from 500. */
const STATUSES: Record<number, number> = {
  36: 400,
  62: 400,
  27: 400,
  53: 400,
  456: 400,
  60: 404,
  81: 404,
  46: 404,
  516: 403,
}

export function startServer(dir: string, password: string): Server {
  const keeper = new Session(dir)
  const known = knownSettings(keeper)
  const server = createServer({ maxHeaderSize: URI_BYTES_MAX }, (request, response) => {
    answer(dir, password, known, request, response).catch((error: unknown) => {
      // The engine's own errors were answered already: what comes here is a fault of this fixture.
      console.error(error)
      response.destroy()
    })
  })
  server.on('close', () => keeper.cleanup())
  return server
}

async function knownSettings(session: chdb.Session): Promise<Set<string>> {
  const result = await session.queryAsync('SELECT name FROM system.settings', { format: 'TabSeparated' })
  return new Set(result.text().trim().split('\n'))
}

async function answer(
  dir: string,
  password: string,
  known: Promise<Set<string>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://server')
  if (url.pathname === '/ping') {
    response.end('Ok.\n')
    return
  }
  const packed = await buffer(request)
  const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(packed) : packed
  const statement = readStatement(url, body)
  response.setHeader('X-ClickHouse-Query-Id', statement.queryId)
  try {
    if (!isAllowed(request, password))
      throw new Error(
        'Code: 516. DB::Exception: default: Authentication failed: password is incorrect. (AUTHENTICATION_FAILED)',
      )
    const settings = await known
    send(request, response, statement, await execute(dir, statement, (name) => settings.has(name)))
  } catch (error) {
    fail(response, error)
  }
}

function isAllowed(request: IncomingMessage, password: string): boolean {
  const [, credentials = ''] = (request.headers.authorization ?? '').split(' ')
  const given = Buffer.from(credentials, 'base64').toString('utf8').split(':').slice(1).join(':')
  return given === password
}

/** Each request has a session of its own, so what it sets is gone with it, as on a server. */
async function execute(
  dir: string,
  statement: HttpStatement,
  isSetting: (name: string) => boolean,
): Promise<chdb.ChdbResult> {
  const scratch = mkdtempSync(join(tmpdir(), 'cinch-clickhouse-'))
  const session = new Session(dir)
  try {
    const path = join(scratch, 'body')
    const fromFile = readingFile(statement.sql, path)
    if (fromFile) writeFileSync(path, statement.data)
    // Text formats go behind the statement, as the embedded client sends them.
    const behind = statement.data.length > 0 ? `\n${statement.data.toString('utf8')}` : ''
    for (const before of prelude(statement, isSetting)) await session.queryAsync(before)
    return await session.queryAsync(fromFile ?? statement.sql + behind, { format: statement.format })
  } finally {
    session.close()
    rmSync(scratch, { recursive: true, force: true })
  }
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  statement: HttpStatement,
  result: chdb.ChdbResult,
): void {
  const gzip =
    /\bgzip\b/.test(request.headers['accept-encoding'] ?? '') &&
    statement.settings.some(([name, value]) => name === 'enable_http_compression' && value === '1')
  response.setHeader('X-ClickHouse-Format', /\bFORMAT\s+(\w+)/i.exec(statement.sql)?.[1] ?? statement.format)
  response.setHeader('X-ClickHouse-Timezone', 'UTC')
  const summary = {
    read_rows: String(result.rowsRead),
    read_bytes: String(result.bytesRead),
    written_rows: '0',
    written_bytes: '0',
    elapsed_ns: String(Math.round(result.elapsed * 1e9)),
  }
  response.setHeader('X-ClickHouse-Summary', JSON.stringify(summary))
  if (gzip) response.setHeader('Content-Encoding', 'gzip')
  const bytes = Buffer.from(result.bytes())
  response.end(gzip ? gzipSync(bytes) : bytes)
}

function fail(response: ServerResponse, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error)
  const code = Number(/^Code: (\d+)/.exec(text)?.[1] ?? 1001)
  response.statusCode = STATUSES[code] ?? 500
  response.setHeader('X-ClickHouse-Exception-Code', String(code))
  response.end(`${text}\n`)
}

if (import.meta.main) {
  const [dir = '', password = ''] = process.argv.slice(2)
  if (dir === '') throw new Error(`give a data directory: ${literal('clickhouse-http.ts DIRECTORY [PASSWORD]')}`)
  const server = startServer(dir, password)
  server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  // Whoever started this process holds the other end: when it is gone, however it ended, so is the server.
  process.stdin.on('end', () => process.exit(0)).resume()
}
