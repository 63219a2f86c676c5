import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { findSource, SOURCES } from '../../services/collector/sources/index.ts'
import { RECOMMENDED_JSON } from '../lab/log-formats.ts'
import { factsOf, inOrder, isReject, samplesOf, sourceDir } from './facts.ts'
import { openTestStore, type TestStore } from './support.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('sources')
}, 60_000)
afterAll(() => store.close())

describe.each(SOURCES)('$id', ({ id, tells, cannotTell, aliases }) => {
  test('has a folder with a README that says what it cannot tell, and an entry in the list', () => {
    const readme = readFileSync(new URL('README.md', sourceDir(id)), 'utf8')
    expect(readme).toMatch(/cannot tell/i)
    expect(tells.length * cannotTell.length).toBeGreaterThan(0)
    for (const alias of aliases) expect(findSource(alias).id).toBe(id)
  })
})

const LINE_SOURCES = SOURCES.filter((source) => source.kind === 'lines' && source.yields !== 'directory')

describe.each(LINE_SOURCES)('real lines of $id', ({ id }) => {
  const samples = samplesOf(id)

  test.each([...new Set(samples.map(({ file }) => file))])('%s', async (file) => {
    const lines = samples.filter((sample) => sample.file === file)
    const cluster = `${id} ${file}`
    const good = lines.filter((sample) => !isReject(sample))
    const bad = lines.filter(isReject)
    const result = await store.file(id, lines.map(({ bytes }) => `${bytes}\n`).join(''), cluster)
    expect(result).toMatchObject({ read: lines.length, accepted: good.length, rejected: bad.length })
    expect(await factsOf(store, cluster)).toEqual(inOrder(good.map(({ expected }) => expected)))
    const rejects = await store.rows(
      'SELECT reason FROM rejected_line WHERE cluster = {cluster:String} ORDER BY reason',
      { cluster },
    )
    expect(rejects.map(({ reason }) => reason)).toEqual(bad.map(({ expected }) => expected['reject']).sort())
  })

  test('the same lines are the same facts: together, again, as a request, and with carriage returns', async () => {
    const good = samples.filter((sample) => !isReject(sample))
    const text = good.map(({ bytes }) => `${bytes}\n`).join('')
    await store.file(id, text, `${id} once`)
    const facts = await factsOf(store, `${id} once`)
    expect(facts).toHaveLength(good.length)
    expect(await store.file(id, text, `${id} once`)).toMatchObject({ read: 0, skipped: Buffer.byteLength(text) })
    await store.request(id, text, { cluster: `${id} request` })
    await store.request(id, text, { cluster: `${id} request` })
    await store.file(id, text.replaceAll('\n', '\r\n\r\n'), `${id} crlf`)
    for (const other of ['once', 'request', 'crlf']) expect(await factsOf(store, `${id} ${other}`)).toEqual(facts)
  })

  test('the rollups count what the facts count', async () => {
    const [sums] = await store.rows(
      `SELECT (SELECT countIf(decision != 'denied') FROM request WHERE stage = 'end') AS requests, (SELECT countIf(decision = 'denied') FROM request WHERE stage = 'end') AS denied,
         (SELECT countIf(stage != 'end') FROM request) AS unended,
         (SELECT (sum(requests), sum(denied)) FROM operation_usage) AS operations, (SELECT (sum(requests), sum(denied)) FROM edge_usage_hour) AS edges,
         (SELECT sum(accepted) FROM ingest_batch) AS accepted`,
    )
    const both = [sums?.['requests'], sums?.['denied']]
    expect(Number(both[0]) + Number(both[1]) + Number(sums?.['unended'])).toBe(sums?.['accepted'])
    expect([sums?.['operations'], sums?.['edges']]).toEqual([both, both])
  })
})

test('a sender is held to its word: its cap, and for whom it may speak', async () => {
  const line = samplesOf('istio-json').find(({ name }) => name === 'recommended-callee.log:1')
  expect(line?.expected['source_evidence']).toBe('verified')
  const bytes = `{"log":${JSON.stringify(`${line?.bytes}\n`)},"kubernetes":{"namespace_name":"shop","pod_name":"orders-7d9c5b8f6-x2x4z"}}\n`
  await store.request('istio-json', bytes, { sender: 'app', cluster: 'capped', evidenceCap: 'claimed' })
  expect(await factsOf(store, 'capped')).toMatchObject([{ source_evidence: 'claimed', destination_workload: 'orders' }])
  const own = await store.request('istio-json', bytes, { sender: 'shop', cluster: 'own', speaksFor: '^shop/' })
  expect(own).toMatchObject({ accepted: 1, rejected: 0 })
  const foreign = await store.request('istio-json', bytes, { sender: 'bank', cluster: 'foreign', speaksFor: '^bank/' })
  expect(foreign).toMatchObject({ accepted: 0, rejected: 1 })
  expect(
    await store.rows(`SELECT reason, sender, line != '' AS kept FROM rejected_line WHERE cluster = 'foreign'`),
  ).toEqual([{ reason: 'sender_may_not', sender: 'bank', kept: 1 }])
})

const shared = (name: string) => fileURLToPath(new URL(`../../../shared/data/istio/${name}`, import.meta.url))
const withoutShared = !existsSync(shared('waypoint.log'))

test.skipIf(withoutShared)(
  'a recorded waypoint log: every access-log line is a fact, every other line a reject',
  async () => {
    const path = shared('waypoint.log')
    const lines = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
    const access = lines.filter((line) => /^\S+ \[20\d\d-/.test(line))
    expect(await store.path('istio-text', path, 'waypoint')).toMatchObject({
      accepted: access.length,
      rejected: lines.length - access.length,
    })
    const calls = access.map((line) =>
      /"(\S+) (\S+) [^"]*" (\d+).*inbound-vip\|(\d+)\|http\|([^.]+\.[^.]+)\.svc\S* \S+ \S+ ([\d.]+):/
        .exec(line)
        ?.slice(1)
        .join(' '),
    )
    const stored = await store.rows<{ call: string }>(
      `SELECT concat(method, ' ', path, ' ', toString(status), ' ', toString(service_port), ' ', destination_service, ' ', replaceOne(toString(source_address), '::ffff:', '')) AS call
     FROM request WHERE cluster = 'waypoint' AND reporter = 'gateway' AND enforcement_point = 'waypoint' AND decision = 'allowed'`,
    )
    expect(stored.map(({ call }) => call).sort()).toEqual(calls.sort())
  },
)

test.skipIf(withoutShared)(
  'a recorded ztunnel log is no access log of Envoy: all of it is rejected, and says why',
  async () => {
    const path = shared('ztunnel.log')
    const lines = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '').length
    expect(await store.path('istio-text', path, 'ztunnel')).toMatchObject({ accepted: 0, rejected: lines })
    expect(await store.rows(`SELECT DISTINCT reason FROM rejected_line WHERE cluster = 'ztunnel'`)).toEqual([
      { reason: 'not_an_access_log' },
    ])
  },
)

test('the README of istio-json gives the format that the lab’s Envoys write', () => {
  const readme = readFileSync(new URL('README.md', sourceDir('istio-json')), 'utf8')
  const yaml = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  const config = parse(yaml) as { meshConfig: { accessLogEncoding: string; accessLogFormat: string } }
  expect(config.meshConfig.accessLogEncoding).toBe('JSON')
  expect(JSON.parse(config.meshConfig.accessLogFormat)).toEqual(RECOMMENDED_JSON)
})
