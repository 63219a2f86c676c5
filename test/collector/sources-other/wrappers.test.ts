import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Fact, factsOf, isReject, samplesOf } from '../facts.ts'
import { openTestStore, type TestStore } from '../support.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('other-wrappers')
}, 60_000)
afterAll(() => store.close())

const STAMP = '2025-01-30T12:10:13.682034460Z'

/** Sources, the container that writes their lines, and what a fact gains when a shipper names the pod: edge in web. */
const SOURCES: [string, string, (fact: Fact) => Fact][] = [
  ['ztunnel', 'istio-proxy', (fact) => fact],
  ['hubble', 'cilium-agent', (fact) => fact],
  ['kubernetes-audit', 'kube-apiserver', (fact) => fact],
  ['nginx', 'controller', ownPod],
  ['haproxy', 'haproxy', ownPod],
  ['linkerd', 'linkerd-proxy', ownPod],
]

function ownPod(fact: Fact): Fact {
  if (fact['reporter'] !== 'destination') return fact
  return { ...fact, destination_workload: 'edge', destination_namespace: 'web' }
}

const pod = (container: string) => ({
  pod_name: 'edge-7d9c5b8f6-x2x4z',
  namespace_name: 'web',
  container_name: container,
})

describe.each(SOURCES)('%s', (id, container, withPod) => {
  // A line that has a prefix in its sample needs it: no second one is put before it.
  const good = samplesOf(id).filter(
    (sample) => !isReject(sample) && !/^(\[pod|.{20,40} \[ )/.test(String(sample.bytes)),
  )
  const text = good.map(({ bytes }) => String(bytes))
  let facts: Fact[]
  beforeAll(async () => {
    await store.file(id, `${text.join('\n')}\n`, `${id} bare`)
    facts = await factsOf(store, `${id} bare`)
    expect(facts).toHaveLength(good.length)
  }, 60_000)

  const wrapped = async (name: string, wrap: (line: string) => string) => {
    const cluster = `${id} ${name}`
    expect(await store.file(id, text.map((line) => `${wrap(line)}\n`).join(''), cluster)).toMatchObject({
      accepted: good.length,
      rejected: 0,
    })
    return await factsOf(store, cluster)
  }

  test.each<[string, (line: string) => string]>([
    ['CRI', (line) => `${STAMP} stdout F ${line}`],
    ['kubectl logs --prefix --timestamps', (line) => `[pod/edge-7d9c5b8f6-x2x4z/${container}] ${STAMP} ${line}`],
    ['Docker', (line) => JSON.stringify({ log: `${line}\n`, stream: 'stdout', time: STAMP })],
  ])('%s: the facts of the bare lines', async (name, wrap) => expect(await wrapped(name, wrap)).toEqual(facts))

  test.each<[string, (line: string) => string]>([
    ['Fluent Bit', (line) => JSON.stringify({ time: STAMP, log: line, kubernetes: pod(container) })],
    [
      'Fluent Bit, prefix inside',
      (line) => JSON.stringify({ log: `${STAMP} stdout F ${line}`, kubernetes: pod(container) }),
    ],
    ['Vector', (line) => JSON.stringify({ message: line, kubernetes: { ...pod(container), pod_namespace: 'web' } })],
  ])('%s: the facts of the bare lines, and whose they are', async (name, wrap) =>
    expect(await wrapped(name, wrap)).toEqual(facts.map(withPod)),
  )

  test('lines of another container, and parts of lines, are refused', async () => {
    const [line = ''] = text
    const lines = [
      JSON.stringify({ log: line, kubernetes: pod('app') }),
      `[pod/edge-7d9c5b8f6-x2x4z/app] ${line}`,
      `${STAMP} stdout P ${line.slice(0, 60)}`,
    ]
    expect(await store.file(id, lines.join('\n'), `${id} refused`)).toMatchObject({ accepted: 0, rejected: 3 })
    const rejects = await store.rows(
      `SELECT reason FROM rejected_line WHERE cluster = {cluster:String} ORDER BY reason`,
      {
        cluster: `${id} refused`,
      },
    )
    expect(rejects.map(({ reason }) => reason)).toEqual([
      'not_a_proxy_container',
      'not_a_proxy_container',
      'partial_line',
    ])
  })
})

test.each(['ztunnel', 'hubble', 'kubernetes-audit'])('%s merged into the shipper’s own fields', async (id) => {
  const lines = samplesOf(id)
    .filter((sample) => !isReject(sample) && String(sample.bytes).startsWith('{'))
    .map(({ bytes }) =>
      JSON.stringify({
        ...JSON.parse(String(bytes)),
        stream: 'stdout',
        kubernetes: pod('istio-proxy-cilium-apiserver'),
      }),
    )
  const bare = samplesOf(id).filter((sample) => !isReject(sample) && String(sample.bytes).startsWith('{'))
  expect(lines.length).toBeGreaterThan(0)
  expect(await store.file(id, lines.join('\n'), `${id} merged`)).toMatchObject({ accepted: lines.length, rejected: 0 })
  await store.file(id, bare.map(({ bytes }) => `${bytes}\n`).join(''), `${id} unmerged`)
  expect(await factsOf(store, `${id} merged`)).toEqual(await factsOf(store, `${id} unmerged`))
})

test('haproxy behind a syslog header', async () => {
  const good = samplesOf('haproxy').filter((sample) => !isReject(sample))
  const bare = good.map(({ bytes }) => `${bytes}\n`)
  await store.file('haproxy', bare.join(''), 'haproxy alone')
  const facts = await factsOf(store, 'haproxy alone')
  for (const header of ['<134>Nov 24 15:47:46 haproxy[123]: ', 'Nov 24 15:47:46 edge-1 haproxy[123]: ']) {
    await store.file('haproxy', bare.map((line) => header + line).join(''), header)
    expect(await factsOf(store, header)).toEqual(facts)
  }
})
