import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { drive } from './drive.ts'
import { type Mesh, startMesh } from './mesh.ts'
import { record } from './record.ts'
import { INGRESS, PUBLIC_HOST } from './world.ts'

const USAGE = `node test/lab/mesh/start.ts [options]     starts the mesh, for people; ends with Ctrl-C
  --drive            sends traffic until it is stopped, with attacks in every tenth round
  --otlp HOST:PORT   OpenTelemetry over gRPC: access logs and traces
  --als HOST:PORT    Envoy's access log service
  --record DIR       runs once, writes the telemetry of every way and the truth to DIR, and ends
  --seed N           of the traffic (1)
  --scale N          about a hundred requests of users for each (1)`

/** Rest between two rounds of traffic. */
const PAUSE_MS = 1_000
const ROUNDS_PER_ATTACK = 10

function options() {
  const { values } = parseArgs({
    options: {
      drive: { type: 'boolean', default: false },
      otlp: { type: 'string' },
      als: { type: 'string' },
      record: { type: 'string' },
      seed: { type: 'string', default: '1' },
      scale: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  })
  const [seed, scale] = [Number(values.seed), Number(values.scale)]
  if (!Number.isInteger(seed) || !(scale > 0)) throw new Error('--seed wants a whole number, --scale one above 0')
  for (const address of [values.otlp, values.als])
    if (address !== undefined && !/^[\d.]+:\d+$/.test(address))
      throw new Error(`${address} is no address: write an IPv4 address and a port, such as 127.0.0.1:4317`)
  return { ...values, seed, scale }
}

function introduce(mesh: Mesh, dir: string): void {
  console.log(`The mesh runs. Its logs are in ${dir}`)
  console.log(`Users reach it at https://${mesh.addresses.pod(INGRESS)}:8443 as ${PUBLIC_HOST}, for example:`)
  console.log(`  curl -k -H 'host: ${PUBLIC_HOST}' https://${mesh.addresses.pod(INGRESS)}:8443/products`)
  for (const [id, { admin, pid }] of mesh.envoys)
    console.log(`  ${id.padEnd(36)} ${mesh.addresses.pod(id).padEnd(16)} http://${admin}  pid ${pid}`)
}

async function main(): Promise<void> {
  const { seed, scale, help, ...asked } = options()
  if (help) {
    console.log(USAGE)
    return
  }
  if (asked.record !== undefined) {
    const { dir, surprises } = await record(asked.record, { seed, scale })
    console.log(`Recorded to ${dir}; ${surprises.length} answers differ from the plan`)
    return
  }
  const dir = await mkdtemp(join(tmpdir(), 'cinch-mesh-'))
  const stopped = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort())
  const reporting = { ...(asked.otlp && { otlpGrpc: asked.otlp }), ...(asked.als && { als: asked.als }) }
  const mesh = await startMesh({ dir, ...reporting })
  try {
    introduce(mesh, dir)
    for (let round = 1; !stopped.signal.aborted; round++) {
      if (asked.drive) await drive(mesh, { seed: seed + round, scale, attacks: round % ROUNDS_PER_ATTACK === 0 })
      // For people the logs are what is wanted; the truth of hours would only fill the memory.
      mesh.truth.records.length = 0
      await sleep(PAUSE_MS, undefined, { signal: stopped.signal }).catch(() => undefined)
    }
  } finally {
    await mesh.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  try {
    await main()
  } catch (error) {
    console.error(`The mesh did not run: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`)
    process.exitCode = 3
  }
}
