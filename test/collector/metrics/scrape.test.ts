import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { countMetrics } from '../../../services/analyzer/metrics/count.ts'
import { operator } from '../../../services/collector/origin.ts'
import { PAGE_BYTES_MAX, parseTarget, scrape, startScraping } from '../../../services/collector/receivers/scrape.ts'
import { openTestStore, type TestStore } from '../support.ts'
import { istioLabels, listen, series, until } from './target.ts'

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('scrape')
}, 60_000)
afterAll(() => store.close())

const TEXT = 'text/plain; version=0.0.4; charset=utf-8'
const origin = async () => operator('scraped')

/** Looks once at a page that a server answers with these headers, `time` being the clock's. */
async function look(
  page: string | Buffer,
  { headers = {}, status = 200, time = 1764000000000, path = '/metrics' } = {},
  submit = (_: unknown, bytes: Buffer): Promise<unknown> =>
    store.request('istio-metrics', bytes, { cluster: 'scraped' }),
) {
  const server = await listen((_, response) => {
    response.writeHead(status, { 'content-type': TEXT, ...headers })
    response.end(page)
  })
  try {
    return await scrape(
      { url: new URL(`${server.url}${path}`), origin },
      { submit, nowMs: () => time, timeoutMs: 5000 },
    )
  } finally {
    await server.close()
  }
}

describe('what is no page of metrics is refused', () => {
  const nothing = () => Promise.reject(new Error('stored something'))

  test('a redirect is not followed', async () => {
    let followed = 0
    const elsewhere = await listen((_, response) => {
      followed++
      response.end()
    })
    await expect(look('', { status: 302, headers: { location: elsewhere.url } }, nothing)).rejects.toThrow(
      'fetch failed',
    )
    expect(followed).toBe(0)
    await elsewhere.close()
  })

  test('another type or status', async () => {
    await expect(look('<html>', { headers: { 'content-type': 'text/html' } }, nothing)).rejects.toThrow(
      'no text of metrics',
    )
    await expect(look('', { status: 503 }, nothing)).rejects.toThrow('503')
  })

  test('a bomb is left when it passes the bound', async () => {
    const bomb = gzipSync(Buffer.alloc(PAGE_BYTES_MAX * 4, 'x'))
    await expect(look(bomb, { headers: { 'content-encoding': 'gzip' } }, nothing)).rejects.toMatchObject({
      code: 'too_large',
    })
  })

  test('a target that stalls is given up', async () => {
    const server = await listen(
      (_, response) => void response.writeHead(200, { 'content-type': TEXT }).write('istio_requests_total 1\n'),
    )
    const started = performance.now()
    await expect(scrape({ url: new URL(server.url), origin }, { submit: nothing, timeoutMs: 300 })).rejects.toThrow()
    expect(performance.now() - started).toBeLessThan(3000)
    await server.close()
  })

  test.each(['file:///etc/passwd', 'http://user:secret@host/', 'nonsense', 'a b=http://host/'])('target %s', (text) =>
    expect(() => parseTarget(text)).toThrow('no http(s) URL'),
  )

  test('a sender’s target', () =>
    expect(parseTarget('mesh=http://127.0.0.1:15090/stats/prometheus?x=a=b')).toMatchObject({ sender: 'mesh' }))
})

const counted = async (destination: string) => {
  await countMetrics(store.store)
  const [row] = await store.rows<{ requests: number }>(
    `SELECT sum(h.requests) AS requests FROM metric_hour AS h FINAL WHERE destination_workload = {destination:String}`,
    { destination },
  )
  return Number(row?.requests)
}

test('OpenMetrics: creation times tell a restart that the value hides; exemplars and units are no part of a sample', async () => {
  const name = series('istio_requests_total', istioLabels('web', 'open'))
  const created = series('istio_requests_created', istioLabels('web', 'open'))
  const page = (value: number, at: number) =>
    `# TYPE istio_requests counter\n# UNIT istio_requests requests\n${name} ${value}.0 # {trace_id="a\\"b} c",x="1"} 1.0 1.5e9\n${created} ${at}.5\n# EOF\n`
  const headers = { 'content-type': 'application/openmetrics-text; version=1.0.0; charset=utf-8' }
  const lines: Buffer[] = []
  const keep = async (_: unknown, bytes: Buffer) => void lines.push(bytes)
  // Born two minutes before the first look with 10 requests; 15 at the second; born again, and 40 at the third.
  for (const [index, [value, at]] of [
    [10, 1763999880],
    [15, 1763999880],
    [40, 1764000020],
  ].entries())
    expect(
      await look(page(value ?? 0, at ?? 0), { headers, time: 1764000000000 + index * 15_000 }, keep),
    ).toMatchObject({ samples: 2, skipped: 0 })
  // Three servers, one program.
  const bytes = Buffer.from(
    Buffer.concat(lines)
      .toString()
      .replace(/127\.0\.0\.1:\d+/g, 'proxy:1'),
  )
  await store.request('istio-metrics', bytes, { cluster: 'scraped' })
  expect(await counted('open')).toBe(10 + 5 + 40)
})

test('a series that appears after an empty look counts from zero; gzip', async () => {
  const name = series('istio_requests_total', istioLabels('web', 'late'))
  const lines: Buffer[] = []
  const keep = async (_: unknown, bytes: Buffer) => void lines.push(bytes)
  expect(await look('up 1\n# HELP x\n', {}, keep)).toMatchObject({ samples: 0, skipped: 1 })
  await look(gzipSync(`${name} 7`), { headers: { 'content-encoding': 'gzip' }, time: 1764000015000 }, keep)
  const bytes = Buffer.from(
    Buffer.concat(lines)
      .toString()
      .replace(/127\.0\.0\.1:\d+/g, 'proxy:2'),
  )
  await store.request('istio-metrics', bytes, { cluster: 'scraped' })
  expect(await counted('late')).toBe(7)
})

test('a round of targets is one submission for each sender, a fault of one is told once and stops no other', async () => {
  const good = await listen((_, response) => response.setHeader('content-type', TEXT).end('x 1\n'))
  const submitted: string[] = []
  const notes: string[] = []
  const targets = [`${good.url}/a`, `${good.url}/b`, 'http://127.0.0.1:1/c'].map((url) => ({
    url: new URL(url),
    origin,
  }))
  const stop = startScraping(targets, {
    submit: async (_, bytes) => void submitted.push(bytes.toString()),
    intervalMs: 500,
    note: (text) => notes.push(text),
  })
  await until(() => submitted.length >= 3)
  await stop()
  expect(submitted[0]?.match(/cinch_scrape 1/g)).toHaveLength(2)
  expect(notes).toHaveLength(1)
  expect(notes[0]).toMatch(/^cannot scrape 127\.0\.0\.1:1\/c: /)
  const after = submitted.length
  await new Promise((resolve) => setTimeout(resolve, 700))
  expect(submitted).toHaveLength(after)
  await good.close()
})
