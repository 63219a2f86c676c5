import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { required } from '../../requirements.ts'
import { labBinary } from '../setup.ts'
import { lengthDelimited } from './recorder.ts'
import { isReceived, type Received, type TruthRecord, truthGraph } from './truth.ts'
import { hasEnvoy, INGRESS, podOf, WORKLOADS, workloadOf } from './world.ts'

const START = join(import.meta.dirname, 'start.ts')
const RECORD_DEADLINE_MS = 120_000

test('a field of bytes is framed as protobuf says: tag and type, length as a varint, the bytes', () => {
  // 300 is ac 02 in the protobuf encoding guide's own example of a varint.
  expect(lengthDelimited(1, Buffer.alloc(300)).subarray(0, 3)).toEqual(Buffer.from([0x0a, 0xac, 0x02]))
  expect(lengthDelimited(2, Buffer.from('hi'))).toEqual(Buffer.from([0x12, 0x02, 0x68, 0x69]))
})

/* Nothing is decoded here: what the truth knows of each call must be found among the bytes of each way. */
describe.skipIf(!labBinary() && !required('CINCH_REQUIRE_LAB'))('a recording', () => {
  let dir: string
  let said: string
  let calls: Received[]
  let records: TruthRecord[]

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cinch-mesh-recording-'))
    const args = [START, '--record', dir, '--seed', '9', '--scale', '0.5']
    said = (await promisify(execFile)(process.execPath, args, { timeout: RECORD_DEADLINE_MS })).stdout
    const lines = (await readFile(join(dir, 'truth/calls.jsonl'), 'utf8')).trimEnd().split('\n')
    records = lines.map((line) => JSON.parse(line) as TruthRecord)
    // What passed an Envoy's HTTP filters on its way in.
    calls = records.filter(isReceived).filter((call) => !call.bypass && call.protocol !== 'tcp' && isBehind(call))
  }, RECORD_DEADLINE_MS + 30_000)
  afterAll(async () => await rm(dir, { recursive: true, force: true }))

  const missing = (bytes: Buffer, wanted: (Buffer | string)[]) => wanted.filter((value) => !bytes.includes(value))
  const ids = () => calls.map(({ request_id }) => request_id)

  test('went as planned, and holds the graph of its calls', async () => {
    expect(said).toMatch(/; 0 answers differ from the plan/)
    expect(calls.length).toBeGreaterThan(80)
    expect(ids().every((id) => id.length === 36)).toBe(true)
    expect(JSON.parse(await readFile(join(dir, 'truth/graph.json'), 'utf8'))).toEqual(truthGraph(records))
  })

  test('has every call in the access log service’s messages, of every Envoy that a request passed', async () => {
    const streams = join(dir, 'als')
    const bytes = Buffer.concat(
      await Promise.all((await readdir(streams)).map(async (name) => await readFile(join(streams, name)))),
    )
    expect(missing(bytes, ids())).toEqual([])
    const nodes = WORKLOADS.filter((w) => hasEnvoy(w) && w.role !== 'transit').map(
      (w) => `~${podOf(w)}.${w.namespace}~${w.namespace}.svc.cluster.local`,
    )
    expect(missing(bytes, nodes)).toEqual([])
    expect(missing(bytes, ['spiffe://west.example/ns/pay/sa/payments', 'http_envoy_accesslog'])).toEqual([])
  })

  test('has every call in the OpenTelemetry logs', async () => {
    const bytes = await readFile(join(dir, 'otlp-logs/requests.binpb'))
    expect(missing(bytes, [...ids(), 'k8s.deployment.name'])).toEqual([])
  })

  test('has every call’s trace in the OpenTelemetry traces, a user’s request as one trace', async () => {
    const bytes = await readFile(join(dir, 'otlp-traces/requests.binpb'))
    const traces = calls.map(({ traceparent }) => traceparent.split('-')[1] ?? '')
    expect(traces.every((id) => /^[0-9a-f]{32}$/.test(id))).toBe(true)
    expect(
      missing(
        bytes,
        [...new Set(traces)].map((id) => Buffer.from(id, 'hex')),
      ),
    ).toEqual([])
    const paying = calls.filter(({ callee, attack }) => callee === 'risk/fraud' && !attack)
    const chained = paying.filter(({ path }) => path === '/scores')
    expect(chained.length).toBeGreaterThan(0)
    for (const { item, traceparent } of chained) {
      const id = traceparent.split('-')[1]
      const hops = calls.filter((call) => call.item === item && call.traceparent.includes(`-${id}-`))
      expect(hops.map(({ callee }) => callee).sort()).toEqual(['pay/payments', 'risk/fraud', 'shop/orders'])
    }
  })

  test('has the files of every Envoy, and statistics', async () => {
    const files = await readdir(join(dir, 'files'), { recursive: true })
    expect(files.filter((name) => name.endsWith('.log')).length).toBe(13 * 3)
    expect((await readdir(join(dir, 'prometheus'))).length).toBe(13)
    const gateway = await readFile(join(dir, 'files/east', `${INGRESS.replace('/', '_')}.recommended.log`), 'utf8')
    expect(gateway).toContain('"traceparent":"00-')
  })
})

const isBehind = ({ callee }: Received) => workloadOf(callee).role === 'sidecar'
