import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Fact } from '../facts.ts'
import { openTestStore, type TestStore } from '../support.ts'
import {
  comparable,
  expectedOf,
  normal,
  otlpJson,
  PROXIES,
  recordedLines,
  sampleOf,
  shipped,
  timeless,
  without,
} from './recorded.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('sources-envoy')
}, 60_000)
afterAll(() => store.close())

const load = async (id: string, file: string) => {
  const cluster = `${id} ${file}`
  const result = await store.file(id, sampleOf(id, file), cluster)
  expect(result).toMatchObject({ rejected: 0 })
  return await comparable(store, cluster)
}

describe('envoy-als: samples of a real Envoy', () => {
  const expected = expectedOf('envoy-als')

  test('as Cinch recommends it: the facts that the driver and the proxies’ own logs tell', async () => {
    expect(await load('envoy-als', 'recommended.binpb')).toEqual(
      normal(without(expected, 'proxy')).map(periodicWithout),
    )
  })

  test('as Envoy sends it by itself: the same without what needs tags and headers', async () => {
    const facts = await load('envoy-als', 'default.binpb')
    expect(facts).toEqual(normal(without(expected, 'proxy').map(byItself)).map(periodicWithout))
  })

  test('the same requests through the JSON log are the same facts', async () => {
    await store.file('istio-json', shipped(), 'json')
    const json = without(await comparable(store, 'json'), 'attempt')
    const als = without(asEnds(await load('envoy-als', 'recommended.binpb')), 'attempt')
    expect(als).toHaveLength(expected.length)
    expect(timeless(als)).toEqual(timeless(json))
  })
})

/** What is told where no entry says which it is: each is an end, and an end is decided. */
const asEnds = (facts: Fact[]) =>
  without(
    facts.map((fact) => (fact['decision'] === 'undecided' ? { ...fact, decision: 'allowed' } : fact)),
    'stage',
  )

/** Entries of requests that have not ended carry no duration. */
function periodicWithout(fact: Fact): Fact {
  return fact['stage'] === undefined ? fact : without([fact], 'duration_us')[0]!
}

/** Envoy's own entries: no certificate's hash and end, no trace, no gRPC status, no unusual method, no cluster of what it refused itself. */
function byItself(fact: Fact): Fact {
  const {
    protocol,
    grpc_service,
    grpc_method,
    grpc_status,
    method,
    trace_id,
    span_id,
    certificate_hash,
    certificate_end,
    ...rest
  } = fact
  const unusual = method === 'PROPFIND'
  const uncalled = fact['attempt'] === undefined && fact['reporter'] === 'destination'
  return {
    ...rest,
    protocol: protocol === 'grpc' ? 'http' : protocol,
    ...(!unusual && method !== undefined && { method }),
    ...(uncalled && { enforcement_point: 'none' }),
  }
}

describe('otlp-logs: samples of a real Envoy', () => {
  const expected = timeless(without(expectedOf('otlp-logs'), 'proxy'))

  test('every key as an attribute', async () => {
    expect(timeless(await load('otlp-logs', 'attributes.binpb'))).toEqual(expected)
  })

  test('every key in the body; without the type of an entry each is an end', async () => {
    const facts = timeless(asEnds(await load('otlp-logs', 'body.binpb')))
    expect(facts).toEqual(timeless(asEnds(expected)))
  })

  test('Istio’s text as the body: what the text log itself tells', async () => {
    const lines = PROXIES.flatMap((proxy) => recordedLines(proxy, 'text.log'))
    await store.file('istio-text', lines.map((line) => `${line}\n`).join(''), 'text')
    const facts = await load('otlp-logs', 'istio-text.binpb')
    expect(facts).toHaveLength(lines.length)
    expect(timeless(facts)).toEqual(timeless(await comparable(store, 'text')))
  })

  test('JSON lines, with keys as attributes, as the body, and as a text of JSON: the same facts', async () => {
    for (const how of ['attributes', 'list', 'text'] as const) {
      const cluster = `json ${how}`
      const requests = PROXIES.map((proxy) => otlpJson(proxy, how))
      expect(await store.file('otlp-logs', requests.join('\n'), cluster)).toMatchObject({
        accepted: expected.length,
        rejected: 0,
      })
      const facts = timeless(asEnds(await comparable(store, cluster)))
      expect(facts, how).toEqual(timeless(asEnds(expected)))
    }
  })
})
