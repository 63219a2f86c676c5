import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogPaths } from '../log-formats.ts'
import type { Mesh } from './mesh.ts'

/** A line of the recommended format; what is not told is null. */
export interface Line {
  method: string | null
  path: string | null
  original_path: string | null
  response_code: number
  response_flags: string | null
  response_code_details: string | null
  connection_termination_details: string | null
  upstream_cluster: string | null
  upstream_host: string | null
  upstream_local_address: string | null
  source_principal: string | null
  destination_principal: string | null
  requested_server_name: string | null
  downstream_local_address: string
  downstream_direct_remote_address: string
  x_forwarded_for: string | null
  x_forwarded_client_cert: string | null
  request_id: string | null
  traceparent: string | null
  authority: string | null
  user_agent: string | null
  tls_version: string | null
  jwt: Record<string, unknown>
  rbac: Record<string, string> | null
  network_rbac: Record<string, string> | null
}

/** Envoy writes within 50 ms of a call's end; this long without a new line means that all are there. */
const QUIET_MS = 600
const SETTLE_DEADLINE_MS = 15_000

/**
 * Waits until no Envoy writes any more.
 * @throws Error when lines still come after 15 s
 */
export async function settled(mesh: Mesh): Promise<void> {
  const deadline = Date.now() + SETTLE_DEADLINE_MS
  let [seen, since] = [-1, Date.now()]
  while (Date.now() - since < QUIET_MS) {
    if (Date.now() > deadline) throw new Error(`the mesh still writes after ${SETTLE_DEADLINE_MS} ms`)
    const all = await Promise.all([...mesh.envoys.values()].map(({ logs }) => linesOf(logs.recommended)))
    const total = all.reduce((sum, lines) => sum + lines.length, 0)
    if (total !== seen) [seen, since] = [total, Date.now()]
    await sleep(100)
  }
}

/** The lines of a log as text. */
export async function linesOf(path: string): Promise<string[]> {
  return (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '')
}

/** What the Envoy of `workload` wrote in the recommended format. */
export async function told(mesh: Mesh, workload: string): Promise<Line[]> {
  return (await linesOf(logsOf(mesh, workload).recommended)).map((line) => JSON.parse(line) as Line)
}

/** @throws Error for a workload without an Envoy */
export function logsOf(mesh: Mesh, workload: string): LogPaths {
  const envoy = mesh.envoys.get(workload)
  if (!envoy) throw new Error(`${workload} has no Envoy`)
  return envoy.logs
}
