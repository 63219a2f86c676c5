import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toCollectorFile, toJson, toProtobuf } from './otlp.ts'
import { at, call, rejectsOf, spansOf } from './spans.ts'
import { openTestStore, type TestStore } from './support.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('otlp')
}, 60_000)
afterAll(() => store.close())

const SOURCE = 'otlp-traces'

describe('one set of spans, however it is written', () => {
  const resources = Array.from({ length: 40 }, (_, n) =>
    call(
      n + 1,
      {
        endTimeUnixNano: at(n + 2),
        attributes: { 'http.request.method': 'GET', 'url.full': `http://orders/a/${n}?x=1` },
      },
      { attributes: { 'http.route': '/a/:id', 'http.response.status_code': 200 + n } },
    ),
  )
  const requests = resources.map(toProtobuf)
  const writings: [string, Buffer][] = [
    ['JSON lines', Buffer.from(resources.map((request) => `${toJson(request)}\n`).join(''))],
    ['one JSON line', Buffer.from(toJson(resources.flat()))],
    ['protobuf', Buffer.concat(requests)],
    ["the Collector's file", toCollectorFile(requests)],
  ]

  test.each(writings)(
    '%s: plain, gzip and zstd',
    async (name, bytes) => {
      await store.file(SOURCE, writings[0]![1], 'reference')
      const reference = await spansOf(store, 'reference')
      expect(reference).toHaveLength(80)
      for (const [packed, content] of [
        ['plain', bytes],
        ['gzip', gzipSync(bytes)],
        ['zstd', zstdCompressSync(bytes)],
      ] as const) {
        const cluster = `${name} ${packed}`
        expect(await store.file(SOURCE, content, cluster)).toMatchObject({ read: 80, accepted: 80, rejected: 0 })
        expect(await spansOf(store, cluster)).toEqual(reference)
      }
      await store.request(SOURCE, bytes, { cluster: `${name} request` })
      if (!name.includes('file')) expect(await spansOf(store, `${name} request`)).toEqual(reference)
    },
    60_000,
  )

  test.each([
    ['protobuf', (list: Buffer[]) => Buffer.concat(list)],
    ["the Collector's file", toCollectorFile],
  ])('a message in the middle of %s that is no OTLP is rejected alone', async (name, pack) => {
    const bad = Buffer.from(requests[7]!)
    // Within the message: its outer frame stays whole.
    bad.fill(0xff, 12, 30)
    expect(await store.file(SOURCE, pack(requests.with(7, bad)), `broken ${name}`)).toMatchObject({
      accepted: 79,
      rejected: 1,
    })
    expect(await rejectsOf(store, `broken ${name}`)).toEqual(['malformed_protobuf'])
    expect(store.spooled()).toEqual([])
  })

  test("a damaged frame in the Collector's file takes no neighbour along; raw protobuf is read up to it", async () => {
    const bad = Buffer.from('no protobuf at all')
    expect(await store.file(SOURCE, toCollectorFile(requests.with(7, bad)), 'frame of a file')).toMatchObject({
      accepted: 78,
      rejected: 1,
    })
    expect(await store.file(SOURCE, Buffer.concat(requests.with(7, bad)), 'frame of raw')).toMatchObject({
      accepted: 14,
      rejected: 1,
    })
  })

  test('a file that is cut in the middle of a message gives the others, and all once it is whole', async () => {
    const bytes = toCollectorFile(requests)
    expect(await store.file(SOURCE, bytes.subarray(0, bytes.length - 20), 'cut')).toMatchObject({
      accepted: 78,
      rejected: 1,
    })
    await store.file(SOURCE, bytes, 'cut')
    expect(await spansOf(store, 'cut')).toEqual(await spansOf(store, 'reference'))
  })
})
