import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openCinch } from '../../services/api/cinch.ts'
import { packageRoot } from '../../services/store/root.ts'
import { openStore } from '../../services/store/store.ts'
import { loadShop } from '../scenarios/load.ts'
import type { Truth } from '../scenarios/shop.ts'
import { newStore } from '../support/new-store.ts'

export interface Product {
  /** Address of the page, without a trailing slash. */
  url: string
  /** The administrator's token. */
  token: string
  /** What really happened in the telemetry that is loaded. */
  truth: Truth
  close: () => Promise<void>
}

const END = new Date('2026-11-20T00:00:00Z')

/** Starts the real product on a store of its own with a small shop in it, as `cinch serve` does. */
export async function startProduct(): Promise<Product> {
  const dir = mkdtempSync(join(tmpdir(), 'cinch-page-'))
  const store = await openStore({ kind: 'chdb', dir: newStore(dir) })
  const truth = await openCinch(store)
    .then((cinch) => loadShop(cinch, { requests: 8000, days: 3, end: END }))
    .finally(() => store.close())
  const child = spawn(process.execPath, [
    join(packageRoot(), 'services/cli/bin.js'),
    'serve',
    '--port',
    '0',
    '--store',
    `chdb:${dir}`,
  ])
  const url = await new Promise<string>((resolve, reject) => {
    let printed = ''
    const read = (bytes: Buffer) => {
      printed += bytes
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(printed)
      if (found) resolve(found[0])
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.once('exit', (code) => reject(new Error(`serve ended with ${code}: ${printed}`)))
  })
  return {
    url,
    token: readFileSync(join(dir, 'admin-token'), 'utf8').trim(),
    truth,
    close: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
