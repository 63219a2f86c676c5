import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Fact, factsOf, isReject, samplesOf } from './facts.ts'
import { openTestStore, type TestStore } from './support.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('wrappers')
}, 60_000)
afterAll(() => store.close())

const STAMP = '2025-01-30T12:10:13.682034460Z'
const LABELS = { app: 'orders', 'app.kubernetes.io/name': 'orders' }

interface Wrapper {
  name: string
  wrap: (line: string) => string
  /** Whether it says which pod wrote the line: orders in shop. */
  pod?: true
}

const WRAPPERS: Wrapper[] = [
  { name: 'CRI', wrap: (line) => `${STAMP} stdout F ${line}` },
  { name: 'CRI with an offset, stderr', wrap: (line) => `2025-01-30T12:10:13.682+02:00 stderr F ${line}` },
  { name: 'kubectl logs --timestamps', wrap: (line) => `${STAMP} ${line}` },
  { name: 'kubectl logs --prefix', wrap: (line) => `[pod/orders-7d9c5b8f6-x2x4z/istio-proxy] ${line}` },
  {
    name: 'kubectl logs --prefix --timestamps',
    wrap: (line) => `[pod/orders-7d9c5b8f6-x2x4z/istio-proxy] ${STAMP} ${line}`,
  },
  { name: 'Docker json-file', wrap: (line) => JSON.stringify({ log: `${line}\n`, stream: 'stdout', time: STAMP }) },
  {
    name: 'Fluent Bit',
    pod: true,
    wrap: (line) =>
      JSON.stringify({
        time: STAMP,
        stream: 'stdout',
        _p: 'F',
        log: line,
        kubernetes: {
          pod_name: 'orders-7d9c5b8f6-x2x4z',
          namespace_name: 'shop',
          labels: LABELS,
          host: 'n1',
          container_name: 'istio-proxy',
        },
      }),
  },
  {
    name: 'Fluent Bit without a parser: the prefix is inside',
    pod: true,
    wrap: (line) =>
      JSON.stringify({
        log: `${STAMP} stdout F ${line}`,
        kubernetes: { pod_name: 'orders-0', namespace_name: 'shop' },
      }),
  },
  {
    name: 'Vector',
    pod: true,
    wrap: (line) =>
      JSON.stringify({
        file: '/var/log/pods/x.log',
        kubernetes: {
          container_name: 'istio-proxy',
          pod_labels: LABELS,
          pod_name: 'orders-7d9c5b8f6-x2x4z',
          pod_namespace: 'shop',
          pod_owner: 'ReplicaSet/orders-7d9c5b8f6',
        },
        message: line,
        source_type: 'kubernetes_logs',
        stream: 'stdout',
        timestamp: STAMP,
      }),
  },
]
const MERGED: Wrapper = {
  name: 'Fluent Bit with Merge_Log: the fields beside the pod',
  pod: true,
  wrap: (line) =>
    JSON.stringify({
      ...JSON.parse(line),
      stream: 'stdout',
      kubernetes: { pod_name: 'orders-7d9c5b8f6-x2x4z', namespace_name: 'shop' },
    }),
}

/** What a fact gains when its reporter's pod is known: the end that reports is that workload. */
function withPod(fact: Fact): Fact {
  // A gateway's line tells of itself beside the service behind it.
  if (fact['reporter'] === 'destination' || fact['reporter'] === 'gateway')
    return { ...fact, destination_workload: 'orders', destination_namespace: 'shop' }
  if (fact['reporter'] !== 'source') return fact
  const evidence = fact['source_evidence'] === 'none' ? 'address' : fact['source_evidence']
  return { ...fact, source_workload: 'orders', source_namespace: 'shop', source_evidence: evidence }
}

describe.each(['istio-json', 'istio-text', 'envoy-text'])('%s', (id) => {
  const good = samplesOf(id).filter((sample) => !isReject(sample))
  const bare = `${id} bare`
  let facts: Fact[]
  beforeAll(async () => {
    await store.file(id, good.map(({ bytes }) => `${bytes}\n`).join(''), bare)
    facts = await factsOf(store, bare)
  }, 60_000)

  test.each(id === 'istio-json' ? [...WRAPPERS, MERGED] : WRAPPERS)(
    '$name: the fact of the bare line, and its pod',
    async ({ name, wrap, pod }) => {
      const cluster = `${id} ${name}`
      const result = await store.file(id, good.map(({ bytes }) => `${wrap(bytes.toString())}\n`).join(''), cluster)
      expect(result).toMatchObject({ accepted: good.length, rejected: 0 })
      expect(await factsOf(store, cluster)).toEqual(pod ? facts.map(withPod) : facts)
    },
  )

  test('parts of a line, and lines of another container, are refused with the reason', async () => {
    const line = good[0]!.bytes.toString()
    const lines = [
      `${STAMP} stdout P ${line.slice(0, 99)}`,
      `[pod/orders-7d9c5b8f6-x2x4z/app] ${line}`,
      JSON.stringify({
        log: line,
        kubernetes: { pod_name: 'orders-0', namespace_name: 'shop', container_name: 'app' },
      }),
    ]
    await store.file(id, lines.join('\n'), `${id} refused`)
    const rejects = await store.rows(
      'SELECT reason FROM rejected_line WHERE cluster = {cluster:String} ORDER BY reason',
      { cluster: `${id} refused` },
    )
    expect(rejects.map(({ reason }) => reason)).toEqual([
      'not_a_proxy_container',
      'not_a_proxy_container',
      'partial_line',
    ])
  })
})

test.each([
  ['orders-7d9c5b8f6-x2x4z', 'orders'],
  ['orders-v2-6f9b55c5db-vnpzr', 'orders-v2'],
  ['ztunnel-x2x4z', 'ztunnel'],
  ['postgres-0', 'postgres'],
  ['kafka-broker-12', 'kafka-broker'],
  ['standalone', 'standalone'],
])('without an owner, the pod %s is of the workload %s', async (pod, workload) => {
  const line = samplesOf('istio-json')[0]!.bytes.toString()
  await store.file(
    'istio-json',
    JSON.stringify({ log: line, kubernetes: { pod_name: pod, namespace_name: 'shop' } }),
    pod,
  )
  expect(await factsOf(store, pod)).toMatchObject([{ destination_workload: workload }])
})
