import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Served, startServe } from '../../support/cli.ts'

/** `cinch serve` as a process of its own, with its receivers on free ports. */
export interface ServedReceivers extends Served {
  http: string
  grpc: string
  /** Registers a sender and gives its token. */
  register(id: string, sources: string[], more?: object): Promise<string>
  /** Memory of the process in bytes: now, and the most since `forgetMost`. */
  memory(): { now: number; most: number }
}

/** @param store directory of the embedded store, or a server's URL: then with `cwd` for the spool */
export async function serveReceivers(store: string, args: string[] = [], cwd?: string): Promise<ServedReceivers> {
  const served = await startServe(store, ['--otlp-http-port', '0', '--otlp-grpc-port', '0', ...args], cwd)
  const told = () => /OTLP\/HTTP is at (\S+)\nOTLP\/gRPC.* are at (\S+)\n/.exec(served.stdout())
  while (!told()) await sleep(20)
  const [, http = '', grpc = ''] = told() ?? []
  return {
    ...served,
    http,
    grpc,
    register: async (id, sources, more = {}) => {
      const answer = await fetch(`${served.url}/api/v1/senders`, {
        method: 'POST',
        headers: { authorization: `Bearer ${served.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ id, sources, ...more }),
      })
      return ((await answer.json()) as { token: string }).token
    },
    memory: () => {
      const status = readFileSync(`/proc/${served.child.pid}/status`, 'utf8')
      const kib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024
      return { now: kib('VmRSS'), most: kib('VmHWM') }
    },
  }
}
