import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exposition, SAMPLES_MAX } from '../../../services/collector/receivers/exposition.ts'
import { seriesOf } from '../../../services/collector/receivers/remote-write.ts'
import { inflateSnappy } from '../../../services/collector/receivers/snappy.ts'
import { CinchError } from '../../../services/model/errors.ts'
import { sourceDir } from '../facts.ts'
import { mutated } from '../mutate.ts'
import { openTestStore, type TestStore } from '../support.ts'
import { compress } from './snappy.ts'
import { istioLabels, series } from './target.ts'

const SEED = Number(process.env['CINCH_FUZZ_SEED'] ?? 7)
const RUNS = Number(process.env['CINCH_FUZZ_RUNS'] ?? 2)
const TIME = 1764000000000

let store: TestStore
let batches = 0
beforeAll(async () => {
  store = await openTestStore('hostile-metrics')
}, 60_000)
afterAll(() => store.close())

const sample = (file: string) => readFileSync(new URL(`samples/${file}`, sourceDir('istio-metrics')))

describe('snappy', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 3000 }),
    fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 5000 })).map(([unit, times]) => {
      const whole = Buffer.alloc(unit.length * times)
      return whole.fill(unit)
    }),
  )

  test('what was packed comes out', () => {
    fc.assert(
      fc.property(bytes, (plain) => {
        expect(inflateSnappy(compress(Buffer.from(plain)), 1 << 20).equals(Buffer.from(plain))).toBe(true)
      }),
      { seed: SEED, numRuns: 300 },
    )
  })

  test('damaged blocks end: in an error, or in as many bytes as they say', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 })
    fc.assert(
      fc.property(bytes, damage, fc.nat(), (plain, changes, cut) => {
        const block = compress(Buffer.from(plain))
        for (const [at, value] of changes) block[at % block.length] = value
        const part = cut % 3 === 0 ? block.subarray(0, cut % (block.length + 1)) : block
        try {
          expect(inflateSnappy(part, 1 << 16).length).toBeLessThanOrEqual(1 << 16)
        } catch (error) {
          expect(error).toBeInstanceOf(CinchError)
        }
      }),
      { seed: SEED, numRuns: 2000 },
    )
  })

  test('a literal of negative length, on which snappyjs goes round for ever', () =>
    expect(() => inflateSnappy(Buffer.from([10, 0xfc, 0xfa, 0xff, 0xff, 0xff, 0, 0, 0, 0]), 1000)).toThrow('no block'))

  test('a block that says that it is a gigabyte takes no memory', () => {
    const reserved: number[] = []
    const block = Buffer.from([0x80, 0x80, 0x80, 0x80, 0x04, 0x00, 0x61])
    expect(() => inflateSnappy(block, 1 << 20, (size) => reserved.push(size))).toThrow('inflates to 1073741824 bytes')
    expect(reserved).toEqual([])
  })
})

describe('exposition text', () => {
  const text = fc.string({ unit: 'binary', maxLength: 60 }).map((value) => Buffer.from(value, 'utf8').toString('utf8'))
  const values = text.filter((value) => value !== 'unknown' && value !== '' && !/[\0\r]/.test(value))

  test('whatever a label’s value holds, it is that label’s value and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(values, { minLength: 60, maxLength: 60 }), async (all) => {
        const cluster = `values ${++batches}`
        const lines = all.map((value) => `${series('istio_requests_total', istioLabels(value, 'orders'))} 1`)
        const page = exposition(Buffer.from(lines.join('\n')), TIME, 'p:1/x')
        expect(page).toMatchObject({ samples: all.length, skipped: 0 })
        expect(await store.request('istio-metrics', page.bytes, { cluster })).toMatchObject({
          accepted: all.length,
          rejected: 0,
        })
        const rows = await store.rows<{ source_workload: string; destination_workload: string }>(
          `SELECT DISTINCT source_workload, destination_workload FROM metric_series WHERE cluster = {cluster:String} AND measure = 'requests'`,
          { cluster },
        )
        expect(rows.map((row) => row.source_workload).sort()).toEqual(all.toSorted())
        expect(new Set(rows.map((row) => row.destination_workload))).toEqual(new Set(['orders']))
      }),
      { seed: SEED, numRuns: RUNS, endOnFailure: true },
    )
  }, 120_000)

  const good = Buffer.from(`${TIME}\tp:1/x\t${series('istio_requests_total', istioLabels('good', 'orders'))} 1`)
  const templates = [
    good,
    ...sample('istio-stats.prom')
      .toString()
      .split('\n')
      .map((line) => Buffer.from(`${line} ${TIME}`)),
  ]

  test('lines cut, changed and mixed are each a sample, a reject or passed over, and their neighbours are samples', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(mutated(templates), { minLength: 150, maxLength: 150 }), async (lines) => {
        const cluster = `lines ${++batches}`
        const bytes = Buffer.concat(lines.flatMap((line) => [good, Buffer.from('\n'), line, Buffer.from('\n')]))
        // A changed line may hold newlines of its own; a carriage return alone is an empty line.
        const count = bytes
          .toString('latin1')
          .split('\n')
          .filter((line) => line !== '' && line !== '\r').length
        const { accepted, rejected } = await store.request('istio-metrics', bytes, { cluster })
        const [row] = await store.rows<{ skipped: number; good: number; unreasoned: number; scrapes: number }>(
          `SELECT (SELECT toUInt32(sum(skipped)) FROM ingest_batch WHERE cluster = {cluster:String}) AS skipped,
             (SELECT uniqExact(series) FROM metric_series WHERE cluster = {cluster:String} AND source_workload = 'good') AS good,
             (SELECT countIf(reason = '') FROM rejected_line WHERE cluster = {cluster:String}) AS unreasoned,
             (SELECT count() FROM metric_series WHERE cluster = {cluster:String} AND metric = 'cinch_scrape') AS scrapes`,
          { cluster },
        )
        expect(accepted + rejected + Number(row?.skipped)).toBe(count)
        expect(accepted).toBeGreaterThanOrEqual(lines.length)
        expect(row).toMatchObject({ unreasoned: 0, scrapes: 0 })
        expect(Number(row?.good)).toBeGreaterThan(0)
        expect(store.spooled()).toEqual([])
      }),
      { seed: SEED, numRuns: RUNS, endOnFailure: true },
    )
  }, 120_000)

  test.each([
    ['a label twice', 'istio_requests_total{a="1",a="2"} 1', 'repeated_label'],
    ['no comma', 'istio_requests_total{a="1"b="2"} 1', 'not_a_sample'],
    ['a quote that never ends', 'istio_requests_total{a="1} 1', 'not_a_sample'],
    ['two values', 'istio_requests_total{a="1"} 1 2 3', 'not_a_sample'],
    ['no number', 'istio_requests_total{a="1"} NaN', 'bad_value'],
    ['less than nothing', 'istio_requests_total{a="1"} -5', 'bad_value'],
    ['more than can be counted', 'istio_requests_total{a="1"} 1e300', 'bad_value'],
    ['a long value', `istio_requests_total{a="${'x'.repeat(2000)}"} 1`, 'too_long'],
    [
      'many labels',
      `istio_requests_total{${Array.from({ length: 200 }, (_, i) => `a${i}="1"`).join(',')}} 1`,
      'too_long',
    ],
  ])('%s is a reject', async (name, line, reason) => {
    const bytes = Buffer.from(`${TIME}\tp:1/x\t${line}\n`)
    expect(await store.request('istio-metrics', bytes, { cluster: name })).toMatchObject({ accepted: 0, rejected: 1 })
    expect(await store.rows(`SELECT reason FROM rejected_line WHERE cluster = {name:String}`, { name })).toEqual([
      { reason },
    ])
  })

  test('a page of more counters than the bound is refused', () =>
    expect(() => exposition(Buffer.from('request_total 1\n'.repeat(SAMPLES_MAX + 1)), TIME, 'p:1/x')).toThrow(
      'more than',
    ))
})

describe('protobuf', () => {
  const body = sample('prometheus-2.42.0.binpb')

  test('damaged requests end in an error or in whole frames', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(body.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }),
        fc.nat(body.length),
        (changes, end) => {
          const damaged = Buffer.from(body.subarray(0, end))
          for (const [at, value] of changes) if (at < end) damaged[at] = value
          try {
            expect(seriesOf(damaged).length).toBeLessThanOrEqual(damaged.length)
          } catch (error) {
            expect(error).toBeInstanceOf(CinchError)
          }
        },
      ),
      { seed: SEED, numRuns: 1000 },
    )
  })

  test('a damaged series is a reject of its source, and the others are samples', async () => {
    const broken = Buffer.from([0x0a, 4, 0x0a, 0x7f, 1, 2])
    const { accepted, rejected } = await store.request('istio-metrics', Buffer.concat([body, broken, body]), {
      cluster: 'broken',
    })
    expect({ accepted, rejected }).toEqual({ accepted: 10, rejected: 1 })
    expect(await store.rows(`SELECT source_format, reason FROM rejected_line WHERE cluster = 'broken'`)).toEqual([
      { source_format: 'istio-metrics', reason: 'malformed_protobuf' },
    ])
  })
})
