import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ENVOY_VERSION } from '../setup.ts'
import { drive, type Surprise } from './drive.ts'
import { settled } from './logs.ts'
import { type Mesh, startMesh } from './mesh.ts'
import type { PlanOptions } from './plan.ts'
import { lengthDelimited, type Recorded, startRecorder } from './recorder.ts'
import { truthGraph } from './truth.ts'
import { hasEnvoy, principalOf, SERVICES, WORKLOADS } from './world.ts'

/** Envoy's spans leave it within five seconds, unless 5 come first: its batch of spans has these two bounds. */
const SPANS_QUIET_MS = 6_000
const SPANS_DEADLINE_MS = 30_000

export interface Recording {
  /** The folder with everything; see `record`. */
  dir: string
  surprises: Surprise[]
}

/**
 * Runs a whole mesh with the plan of `options` and writes what its Envoys told, in each way, beside the truth:
 *
 * - `files/<cluster>/<namespace>_<workload>.{istio-text,istio-json,recommended}.log`
 * - `als/<n>.binpb`: a stream each, framed as `AlsBatch { repeated StreamAccessLogsMessage streams = 1 }` with one element,
 *   the stream's messages joined, which protobuf reads as one message with all entries
 * - `otlp-logs/requests.binpb`, `otlp-traces/requests.binpb`: the requests joined, which protobuf reads as one request
 * - `prometheus/<namespace>_<workload>.prom`: each Envoy's own statistics at the end
 * - `truth/calls.jsonl`, `truth/graph.json`, `truth/plan.json`, `truth/world.json`
 */
export async function record(dir: string, options: PlanOptions): Promise<Recording> {
  const scratch = await mkdtemp(join(tmpdir(), 'cinch-mesh-'))
  const recorder = await startRecorder()
  try {
    const reporting = { als: recorder.address, otlpGrpc: recorder.address }
    const mesh = await startMesh({ dir: scratch, ...reporting })
    try {
      const { plan, surprises } = await drive(mesh, options)
      await settled(mesh)
      await mkdir(dir, { recursive: true })
      await writeStatistics(dir, mesh)
      await spansSettled(recorder.recorded)
      await writeJson(dir, 'plan', { ...options, plan })
      // Connections of TCP are logged at their end, so the files are whole only when the Envoys are gone.
      await mesh.stop()
      await writeFiles(dir, mesh)
      await writeTruth(dir, mesh)
      await writeRecorded(dir, recorder.recorded)
      return { dir, surprises }
    } finally {
      await mesh.stop()
    }
  } finally {
    recorder.stop()
    await rm(scratch, { recursive: true, force: true })
  }
}

async function spansSettled({ traces }: Recorded): Promise<void> {
  const deadline = Date.now() + SPANS_DEADLINE_MS
  let [seen, since] = [-1, Date.now()]
  while (Date.now() - since < SPANS_QUIET_MS && Date.now() < deadline) {
    if (traces.length !== seen) [seen, since] = [traces.length, Date.now()]
    await sleep(100)
  }
}

async function folder(dir: string, name: string): Promise<string> {
  const path = join(dir, name)
  await mkdir(path, { recursive: true })
  return path
}

async function writeFiles(dir: string, mesh: Mesh): Promise<void> {
  for (const workload of WORKLOADS) {
    const envoy = mesh.envoys.get(workload.id)
    if (!envoy) continue
    const to = await folder(dir, join('files', workload.cluster))
    for (const [format, from] of Object.entries(envoy.logs)) {
      const name = { text: 'istio-text', json: 'istio-json', recommended: 'recommended' }[format]
      await cp(from, join(to, `${workload.id.replace('/', '_')}.${name}.log`))
    }
  }
}

async function writeRecorded(dir: string, { als, logs, traces }: Recorded): Promise<void> {
  const streams = await folder(dir, 'als')
  for (const [index, messages] of als.entries())
    await writeFile(join(streams, `${index}.binpb`), lengthDelimited(1, Buffer.concat(messages)))
  await writeFile(join(await folder(dir, 'otlp-logs'), 'requests.binpb'), Buffer.concat(logs))
  await writeFile(join(await folder(dir, 'otlp-traces'), 'requests.binpb'), Buffer.concat(traces))
}

async function writeStatistics(dir: string, mesh: Mesh): Promise<void> {
  const to = await folder(dir, 'prometheus')
  for (const [id, { admin }] of mesh.envoys) {
    const answer = await fetch(`http://${admin}/stats/prometheus`)
    await writeFile(join(to, `${id.replace('/', '_')}.prom`), await answer.text())
  }
}

async function writeJson(dir: string, name: string, value: unknown): Promise<void> {
  await writeFile(join(await folder(dir, 'truth'), `${name}.json`), `${JSON.stringify(value, null, 2)}\n`)
}

async function writeTruth(dir: string, { truth, addresses }: Mesh): Promise<void> {
  const to = await folder(dir, 'truth')
  const lines = truth.records.map((entry) => `${JSON.stringify(entry)}\n`)
  await writeFile(join(to, 'calls.jsonl'), lines.join(''))
  await writeJson(dir, 'graph', truthGraph(truth.records))
  const workloads = WORKLOADS.map((workload) => ({
    ...workload,
    address: addresses.pod(workload.id),
    ...(workload.role !== 'outside' && { principal: principalOf(workload) }),
    envoy: hasEnvoy(workload),
  }))
  await writeJson(dir, 'world', { envoy: ENVOY_VERSION, workloads, services: SERVICES })
}
