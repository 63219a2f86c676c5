import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { migrate } from '../../services/store/migrate.ts'
import { openStore, type Store } from '../../services/store/store.ts'

export interface TestServer {
  url: string
  stop(): Promise<void>
}

/** Starts the ClickHouse fixture on a data directory, in a process of its own; resolves when it listens. */
export async function startTestServer(dir: string, password = ''): Promise<TestServer> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'clickhouse-http.ts'), dir, password], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })
  const [url] = (await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the ClickHouse fixture ended with ${code} before it listened`)
    }),
  ])) as [string]
  return {
    url,
    stop: async () => {
      if (child.exitCode !== null) return
      const ended = once(child, 'exit')
      child.stdin.end()
      await ended
    },
  }
}

/** A migrated store on a fixture of its own below `dir`. Beside a server the spool is in the working directory: that is `dir` until `close`. */
export async function openOnServer(dir: string): Promise<{ server: TestServer; store: Store; close(): Promise<void> }> {
  const home = process.cwd()
  const server = await startTestServer(join(dir, 'server'))
  process.chdir(dir)
  const store = await openStore({ kind: 'http', url: server.url })
  await migrate(store)
  const close = async () => {
    await store.close()
    await server.stop()
    process.chdir(home)
  }
  return { server, store, close }
}
