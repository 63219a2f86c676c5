import { join } from 'node:path'
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import { type Cinch, openCinch } from '../../services/api/cinch.ts'
import { createServer } from '../../services/api/server.ts'
import { readOrMakeToken } from '../../services/api/token.ts'
import { openStore, type Params, query, type Store } from '../../services/store/store.ts'
import { scratch } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'

/** A server on a store of its own. `ask` carries the admin token, `app.inject` nothing. */
export interface TestApi {
  dir: string
  store: Store
  cinch: Cinch
  app: FastifyInstance
  token: string
  ask(url: string, options?: InjectOptions): Promise<LightMyRequestResponse>
  /** Sends a body to a source with a token. */
  send(source: string, body: string | Buffer, token: string): Promise<LightMyRequestResponse>
  rows<Row = Record<string, unknown>>(sql: string, params?: Params): Promise<Row[]>
  close(): Promise<void>
}

export async function openApi(name: string): Promise<TestApi> {
  const room = scratch(name)
  const store = await openStore({ kind: 'chdb', dir: newStore(room.path('store')) })
  const cinch = await openCinch(store)
  const token = readOrMakeToken(join(store.dataDir, 'admin-token'))
  const roles = { api: true, collector: true }
  const app = await createServer({ cinch, ready: async () => true, adminToken: token, roles })
  const authorization = (given: string) => ({ authorization: `Bearer ${given}` })
  return {
    dir: room.path('store'),
    store,
    cinch,
    app,
    token,
    ask: (url, options = {}) =>
      app.inject({ method: 'GET', url, ...options, headers: { ...authorization(token), ...options.headers } }),
    send: (source, body, given) =>
      app.inject({
        method: 'POST',
        url: `/ingest/${source}`,
        headers: { ...authorization(given), 'content-type': 'application/octet-stream' },
        body,
      }),
    rows: (sql, params = {}) => query(store.reads, sql, params),
    close: async () => {
      await app.close()
      await store.close()
      room.close()
    },
  }
}

/** Every route that is registered, as `METHOD /path/:parameter`; HEAD is fastify's own twin of GET. */
export function routesOf(app: FastifyInstance): string[] {
  const open: string[] = []
  return app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', path = '', methods = ''] = /^([│ ]*)[├└]── (\S+) \((.+)\)$/.exec(line) ?? []
      if (path === '') return []
      open.splice(indent.length / 4, Number.POSITIVE_INFINITY, path)
      return methods.split(', ').map((method) => `${method} ${open.join('')}`)
    })
    .filter((route) => !route.startsWith('HEAD '))
}
