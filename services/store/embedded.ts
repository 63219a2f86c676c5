import { createRequire } from 'node:module'
import { type ClickHouseClient, createClient } from '@clickhouse/client'
import { formatQueryParams } from '@clickhouse/client-common'
import { CinchError } from '../model/errors.ts'

/** The part of a request to the connection that is looked at here. */
interface Request {
  query: string
  query_params?: Record<string, unknown> | undefined
}

type Send = (request: Request) => Promise<unknown>

interface Connection {
  query: Send
  command: Send
  exec: Send
  insert: Send
  ping: (request: unknown) => Promise<unknown>
  close: () => Promise<void>
}

/**
 * Opens connections to the embedded engine's store in `dir`.
 *
 * chdb runs statements with bound parameters one after another in the whole process, since its own way of binding is not
 * safe across connections: a read would wait for every insert. So parameters are bound by the engine's `SET param_…` on
 * the connection that uses them, which is isolated and runs side by side.
 * @returns opens a client; statements on it run side by side on so many connections
 * @throws CinchError `engine_missing` when chdb is not installed or does not run on this machine
 */
export function embeddedClients(dir: string): (connections?: number) => ClickHouseClient {
  const connect = loadEngine()
  return (connections = 1) => {
    const lanes = Array.from({ length: connections }, () => binding(connect({ path: dir })))
    return createClient({ connection: connections === 1 ? lanes[0] : shared(lanes) } as never)
  }
}

/** A statement waits until a connection is free: it is never behind another one while there is one that has nothing to do. */
function shared(connections: readonly Connection[]): Connection {
  const free = [...connections]
  const waiting: ((connection: Connection) => void)[] = []
  const send = async <T>(work: (connection: Connection) => Promise<T>): Promise<T> => {
    const connection = free.pop() ?? (await new Promise<Connection>((resolve) => waiting.push(resolve)))
    try {
      return await work(connection)
    } finally {
      const next = waiting.shift()
      if (next) next(connection)
      else free.push(connection)
    }
  }
  return {
    query: (request) => send((connection) => connection.query(request)),
    command: (request) => send((connection) => connection.command(request)),
    exec: (request) => send((connection) => connection.exec(request)),
    insert: (request) => send((connection) => connection.insert(request)),
    ping: (request) => send((connection) => connection.ping(request)),
    close: async () => {
      for (const connection of connections) await connection.close()
    },
  }
}

function binding(connection: Connection): Connection {
  const bound =
    (send: Send): Send =>
    (request) =>
      send.call(connection, bindParams(request))
  return {
    query: bound(connection.query),
    command: bound(connection.command),
    exec: bound(connection.exec),
    insert: bound(connection.insert),
    ping: (request) => connection.ping(request),
    close: () => connection.close(),
  }
}

/** Up to this size, with room for what stands around it, the engine takes a statement unless it is told otherwise (256 KiB). */
const QUERY_BYTES = 200_000

/** Writes each parameter as a `SET param_<name> = '<text>'` before the statement, quoted as a ClickHouse string literal. */
export function bindParams(request: Request): Request {
  const { query_params, ...rest } = request
  const sets = Object.entries(query_params ?? {}).map(([name, value]) => {
    if (!/^[a-z][a-z0-9_]*$/.test(name)) throw new Error(`'${name}' is no name for a query parameter`)
    return `SET param_${name} = ${literal(formatQueryParams({ value }))}; `
  })
  // A statement that sets a parameter is held to the size of a query as well; the value alone says how large it may be.
  const longest = Math.max(0, ...sets.map((set) => Buffer.byteLength(set)))
  if (longest > QUERY_BYTES) sets.unshift(`SET max_query_size = ${longest * 2}; `)
  return { ...rest, query: sets.join('') + request.query }
}

function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

function loadEngine(): (options: { path: string }) => Connection {
  try {
    return (
      createRequire(import.meta.url)('chdb/connection') as {
        createChdbConnection: (options: { path: string }) => Connection
      }
    ).createChdbConnection
  } catch (cause) {
    throw new CinchError(
      'engine_missing',
      'the embedded engine (npm package chdb) is not installed or does not run here',
      'install it with npm install chdb, or give a server with --store http://host:8123/database',
      { cause },
    )
  }
}
