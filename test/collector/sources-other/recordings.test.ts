import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SHARED_DATA } from '../../requirements.ts'
import { callsOf, rejectsOf } from '../spans.ts'
import { openTestStore, type TestStore } from '../support.ts'
import { auditEvents, type CsvEvent, readCsv } from './audit-csv.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('recordings')
}, 60_000)
afterAll(() => store.close())

const shared = (name: string) => join(SHARED_DATA, name)
const linesOf = (name: string) =>
  readFileSync(shared(name), 'utf8')
    .split('\n')
    .filter((line) => line !== '')

describe.skipIf(!existsSync(SHARED_DATA))('recordings of real programs', () => {
  test('ztunnel: every connection of the recording, with both identities, ports and directions', async () => {
    const lines = linesOf('istio/ztunnel.log')
    const result = await store.path('ztunnel', shared('istio/ztunnel.log'), 'ztunnel')
    expect(result).toMatchObject({ accepted: lines.length, rejected: 0 })
    const value = (line: string, key: string) =>
      new RegExp(` ${key}="?([^ "]*)`).exec(line.replace('\t', ' '))?.[1] ?? ''
    const told = lines.map((line) => {
      const spaced = line.replaceAll('\t', ' ')
      const [from, to] = ['src.identity', 'dst.identity'].map((key) => value(spaced, key).replace('spiffe://', ''))
      const service = value(spaced, 'dst.service').replace('.svc.cluster.local', '')
      const bytes = ['bytes_recv', 'bytes_sent'].map((key) => value(spaced, key))
      const [into, out] = value(spaced, 'direction') === 'inbound' ? bytes : bytes.toReversed()
      return [line.slice(0, 26), from, to, service, into, out, value(spaced, 'duration').replace('ms', '')].join(' ')
    })
    const rows = await store.rows<{ told: string }>(
      `SELECT concat(replaceOne(toString(time), ' ', 'T'), ' ', source_principal, ' ', destination_principal, ' ', destination_service, ' ', toString(bytes_in), ' ', toString(bytes_out), ' ', toString(intDiv(duration_us, 1000))) AS told
       FROM request WHERE cluster = 'ztunnel' AND reporter = 'flow' AND protocol = 'tcp'`,
    )
    expect(rows.map((row) => row.told).sort()).toEqual(told.sort())
  })

  test('ztunnel: a connection without mutual TLS proves nobody', async () => {
    const plain = linesOf('istio/ztunnel.log').filter((line) => !line.includes('src.identity='))
    expect(plain.length).toBeGreaterThan(0)
    const rows = await store.rows(
      `SELECT count() AS n, uniqExact(source_evidence, mtls) AS kinds FROM request WHERE cluster = 'ztunnel' AND source_evidence = 'address' AND mtls = 'no'`,
    )
    expect(rows).toEqual([{ n: plain.length, kinds: 1 }])
  })

  test('jaeger-json: the calls of the recorded trace, and searches that are no traces', async () => {
    // From the file itself: a span whose parent is another service's.
    expect(await store.path('jaeger-json', shared('istio/jaeger-responseTrace.json'), 'trace')).toMatchObject({
      accepted: 8,
      rejected: 0,
    })
    const call = { protocol: 'http', method: 'GET', flags: [], requests: 1 }
    expect(await callsOf(store, 'trace')).toEqual([
      { ...call, source: 'istio-ingressgateway', destination: 'productpage-v1', path: '/productpage' },
      { ...call, source: 'productpage-v1', destination: 'details-v1', path: '/details/{int}' },
      { ...call, source: 'productpage-v1', destination: 'reviews-v2', path: '/reviews/{int}' },
      { ...call, source: 'reviews-v2', destination: 'ratings-v1', path: '/ratings/{int}' },
    ])
    for (const name of ['jaeger-response.json', 'jaeger-responseAmbient.json']) {
      expect(await store.path('jaeger-json', shared(`istio/${name}`), name)).toMatchObject({ accepted: 0, rejected: 1 })
      expect(await rejectsOf(store, name)).toEqual(['search_result'])
    }
  })

  describe('kubernetes-audit: four minutes of a cluster', () => {
    let events: CsvEvent[]
    beforeAll(async () => {
      events = readCsv(gunzipSync(readFileSync(shared('kubernetes-audit/audit-logs.csv.gz'))).toString('utf8'))
      const text = auditEvents(events)
      const whole = events.filter((event) => event.stage !== undefined).length
      // The recording ends within a line.
      expect(await store.file('kubernetes-audit', text, 'audit')).toMatchObject({
        accepted: whole,
        rejected: events.length - whole,
      })
      expect(await rejectsOf(store, 'audit')).toEqual(['fields_missing'])
      events = events.filter((event) => event.stage !== undefined)
    }, 60_000)

    const counts = (keys: string[]) => {
      const found: Record<string, number> = {}
      for (const key of keys) found[key] = (found[key] ?? 0) + 1
      return found
    }
    const stored = async (expression: string, where = '1') => {
      const rows = await store.rows<{ key: string; n: number }>(
        `SELECT ${expression} AS key, count() AS n FROM request WHERE cluster = 'audit' AND ${where} GROUP BY key`,
      )
      return Object.fromEntries(rows.map(({ key, n }) => [key, Number(n)]))
    }

    test('who called, as caller or as user', async () => {
      const machine = /^system:(serviceaccount:|node:|kube-|apiserver$)/
      expect(await stored('source_principal', "source_principal != ''")).toEqual(
        counts(events.map(({ user }) => user).filter((user) => machine.test(user))),
      )
      expect(await stored('user_subject', "user_subject != ''")).toEqual(
        counts(events.map(({ user }) => user).filter((user) => !user.startsWith('system:'))),
      )
    })

    test('verbs, statuses, stages and refusals', async () => {
      expect(
        await stored("concat(method, ' ', toString(status), ' ', toString(stage), ' ', toString(decision))"),
      ).toEqual(
        counts(
          events.map(({ verb, code, stage }) =>
            [
              verb,
              code,
              stage === 'ResponseStarted' ? 'periodic' : 'end',
              code === '403' || code === '401' ? 'denied' : 'allowed',
            ].join(' '),
          ),
        ),
      )
    })

    test('paths without queries; names of objects are templates, namespaces stay', async () => {
      expect(await stored('path')).toEqual(counts(events.map(({ uri }) => uri.replace(/\?.*/, ''))))
      const template = ({ uri, resource, name, subresource }: CsvEvent) => {
        const segments = uri.replace(/\?.*/, '').split('/')
        const last = segments.length - 1 - (subresource === '' ? 0 : 1)
        const named = name !== '' && segments[last] === name && segments[last - 1] === resource
        return named ? segments.with(last, '{name}').join('/') : undefined
      }
      const named = events.map(template).filter((path) => path !== undefined)
      const shapes = await stored('shape', "position(shape, '{name}') > 0")
      expect(named.length).toBeGreaterThan(3000)
      // Versions and generated namespaces are typed segments as everywhere else; those apart, the templates are these.
      const comparable = (entries: [string, number][]) =>
        entries.filter(([path]) => !/\{int\}|\{hex\}|\{uuid\}/.test(path))
      for (const [path, n] of comparable(Object.entries(shapes))) expect([path, counts(named)[path]]).toEqual([path, n])
      expect(Object.values(shapes).reduce((sum, n) => sum + n, 0)).toBe(named.length)
    })
  })
})
