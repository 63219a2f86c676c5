import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { vi } from 'vitest'
import { openCinch } from '../../../services/api/cinch.ts'
import { createServer } from '../../../services/api/server.ts'
import { readOrMakeToken } from '../../../services/api/token.ts'
import { openStore } from '../../../services/store/store.ts'
import { type Ran, runHere } from '../../support/cli.ts'
import { linesOf, logsOf, settled } from './logs.ts'
import type { Mesh } from './mesh.ts'
import { objectsOf } from './objects.ts'
import { isReceived, isSent, type Received, type Sent } from './truth.ts'
import { type Cluster, podOf, TRANSIT, WORKLOADS, type Workload } from './world.ts'

/** What happened on one day: as the truth has it. */
export interface Day {
  /** The day's bounds, as options of a command. */
  window: string[]
  sent: Sent[]
  received: Received[]
}

/** Somebody who runs Cinch's commands over a mesh's logs. */
export interface Operator {
  /** Runs a command, at the midnight after the last day. @throws Error when it ends with another status than 0 or 1 */
  cinch(...args: string[]): Promise<Ran>
  /** Does `work`, and loads what the Envoys logged meanwhile as that of the next day. */
  day(work: () => Promise<unknown>): Promise<Day>
  /** Everything up to the last day. */
  soFar(): string[]
  close(): Promise<void>
}

const FIRST_DAY = Date.UTC(2026, 2, 2)
const DAY_MS = 86_400_000

/**
 * A run of the lab takes a minute, and policies are learned from days: so each part of the run is given a day of its own,
 * by the start time in its lines, from eight o'clock on. Beside that they are as a shipper (Fluent Bit) gets them from a Pod.
 */
export async function operatorOf(mesh: Mesh, dir: string): Promise<Operator> {
  const store = join(dir, 'store')
  const served = await serve(store)
  let days = 0
  const cinch = async (...args: string[]) => {
    const ran = await at(FIRST_DAY + days * DAY_MS, () => runHere(args, { store }))
    if (ran.code === 0 || ran.code === 1) return ran
    throw new Error(`cinch ${args.join(' ')} ended with ${ran.code}: ${ran.stderr}`)
  }
  const objects = join(dir, 'objects.yaml')
  await writeFile(objects, objectsOf())
  await cinch('ingest', '--source', 'kubernetes-objects', objects)
  const read = new Map<string, number>()

  /** What the Envoys of each cluster wrote since they were last asked, with the time of `day`. */
  const collect = async (day: number, began: number): Promise<Map<Cluster, string[]>> => {
    const lines = new Map<Cluster, string[]>()
    for (const workload of WORKLOADS.filter(({ id }) => mesh.envoys.has(id) && id !== TRANSIT)) {
      const { id, cluster } = workload
      const all = await linesOf(logsOf(mesh, id).recommended)
      const fresh = all
        .slice(read.get(id) ?? 0)
        .map((line) => shipped(workload, line, FIRST_DAY + (day * 24 + 8) * 3_600_000 - began))
      read.set(id, all.length)
      lines.set(cluster, [...(lines.get(cluster) ?? []), ...fresh])
    }
    return lines
  }
  return {
    cinch,
    close: () => served.close(),
    soFar: () => ['--since', iso(0), '--until', iso(days)],
    day: async (work) => {
      const day = days++
      const [began, known] = [Date.now(), mesh.truth.records.length]
      await work()
      await settled(mesh)
      for (const [cluster, lines] of await collect(day, began)) {
        const file = join(dir, `${cluster}-${day}.log`)
        await writeFile(file, lines.map((line) => `${line}\n`).join(''))
        await cinch('ingest', '--source', 'istio-json', '--cluster', cluster, file)
      }
      const records = mesh.truth.records.slice(known)
      return {
        window: ['--since', iso(day), '--until', iso(day + 1)],
        sent: records.filter(isSent),
        received: records.filter(isReceived),
      }
    },
  }
}

/** Serves a store from this process: what is done on a day is logged with its time, and how long it lasted is asked. */
async function serve(dir: string): Promise<{ close(): Promise<void> }> {
  const store = await openStore({ kind: 'chdb', dir })
  const cinch = await openCinch(store)
  const adminToken = readOrMakeToken(join(store.dataDir, 'admin-token'))
  const roles = { api: true, collector: true }
  const app = await createServer({ cinch, ready: async () => true, adminToken, roles })
  store.announce(await app.listen({ host: '127.0.0.1', port: 0 }))
  return {
    close: async () => {
      await app.close()
      await cinch.close()
      await store.close()
    },
  }
}

/** Does `work` at another time. The mesh must not be asked meanwhile: its certificates and tokens are of today. */
async function at<T>(time: number, work: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({ toFake: ['Date'], now: time })
  try {
    return await work()
  } finally {
    vi.useRealTimers()
  }
}

const iso = (day: number) => new Date(FIRST_DAY + day * DAY_MS).toISOString()

function shipped(workload: Workload, line: string, byMs: number): string {
  const fields = JSON.parse(line) as { start_time: string }
  const start_time = new Date(Date.parse(fields.start_time) + byMs).toISOString()
  const kubernetes = { namespace_name: workload.namespace, pod_name: podOf(workload), container_name: 'istio-proxy' }
  return JSON.stringify({ log: `${JSON.stringify({ ...fields, start_time })}\n`, kubernetes })
}
