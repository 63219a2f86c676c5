import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { countMetrics, statementsOf } from '../../../services/analyzer/metrics/count.ts'
import { openTestStore, type TestStore } from '../support.ts'
import { istioLabels, series } from './target.ts'
import { play, type Told, timelines } from './timeline.ts'

const SEED = Number(process.env['CINCH_FUZZ_SEED'] ?? 7)
const RUNS = Number(process.env['CINCH_FUZZ_RUNS'] ?? 2)
const BEGIN_MS = Date.UTC(2026, 4, 1, 7, 50)

let store: TestStore
beforeAll(async () => {
  store = await openTestStore('count-metrics')
}, 60_000)
afterAll(() => store.close())

function linesOf(told: Told, program: number, tellsCreation: boolean): string[] {
  const head = (timeMs: number) => `${timeMs}\t10.0.0.${program}:15020/stats\t`
  const labels = (index: number) => istioLabels(`caller-${index}`, `callee-${program}`)
  return [
    ...told.looksMs.map((timeMs) => `${head(timeMs)}cinch_scrape 0`),
    ...told.samples.flatMap(({ timeMs, series: index, value, bornS }) => [
      `${head(timeMs)}${series('istio_requests_total', labels(index))} ${value}`,
      ...(tellsCreation ? [`${head(timeMs)}${series('istio_requests_created', labels(index))} ${bornS}`] : []),
    ]),
  ]
}

const totals = (cluster: string) =>
  store.rows<{ callee: string; caller: string; requests: number }>(
    `SELECT destination_workload AS callee, source_workload AS caller, toUInt32(sum(h.requests)) AS requests FROM metric_hour AS h FINAL
     WHERE cluster = {cluster:String} AND h.requests > 0 GROUP BY callee, caller ORDER BY callee, caller`,
    { cluster },
  )

const truthOf = (all: Told[]) =>
  all
    .flatMap(({ truth }, program) =>
      truth.map((requests, index) => ({ callee: `callee-${program}`, caller: `caller-${index}`, requests })),
    )
    .filter(({ requests }) => requests > 0)
    .sort((a, b) => (`${a.callee} ${a.caller}` < `${b.callee} ${b.caller}` ? -1 : 1))

describe.each([
  ['without creation times', false],
  ['with creation times', true],
])('counters %s', (title, tellsCreation) => {
  const programs = fc.tuple(
    fc.array(timelines, { minLength: 15, maxLength: 15 }),
    fc.array(fc.nat(), { minLength: 97, maxLength: 97 }),
  )
  let runs = 0

  test('any timelines of programs, in any order, with repetitions, counted in between: the requests that were to be seen', async () => {
    await fc.assert(
      fc.asyncProperty(programs, async ([all, numbers]) => {
        const cluster = `${title} ${runs++}`
        const told = all.map((steps) => play(steps, BEGIN_MS, tellsCreation))
        const lines = told.flatMap((one, program) => linesOf(one, program, tellsCreation))
        const repeated = [...lines, ...lines.filter((_, index) => index % 7 === 0)]
        const batches: string[][] = [[], [], []]
        for (const [index, line] of repeated.entries()) batches[(numbers[index % numbers.length] ?? 0) % 3]?.push(line)
        for (const batch of batches) {
          await store.request('istio-metrics', `${batch.join('\n')}\n`, { cluster })
          await countMetrics(store.store)
        }
        expect(await totals(cluster)).toEqual(truthOf(told))
      }),
      { seed: SEED, numRuns: RUNS, endOnFailure: true },
    )
  }, 240_000)
})

describe('by the hour', () => {
  const at = (clock: string) => Date.parse(clock.includes('T') ? clock : `2026-06-01T${clock}Z`)
  const hours = async (cluster: string, samples: [clock: string, value: number][]) => {
    const lines = samples.map(
      ([clock, value]) =>
        `${at(clock)}\tp:1/x\t${series('istio_requests_total', istioLabels('web', 'orders'))} ${value}\n`,
    )
    await store.request('istio-metrics', lines.join(''), { cluster })
    await countMetrics(store.store)
    const rows = await store.rows<{ hour: string; requests: number; gap_s: number }>(
      `SELECT formatDateTime(hour, '%H') AS hour, requests, gap_s FROM metric_hour FINAL WHERE cluster = {cluster:String} AND requests > 0 ORDER BY hour`,
      { cluster },
    )
    return rows.map(({ hour, requests, gap_s }) => [Number(hour), requests, gap_s])
  }

  test.each<[string, [string, number][], number[][]]>([
    [
      'between two looks in one hour',
      [
        ['10:00:00', 5],
        ['10:01:00', 9],
      ],
      [[10, 4, 60]],
    ],
    [
      'over the end of an hour, by time: a third before',
      [
        ['10:59:50', 0],
        ['11:00:20', 30],
      ],
      [
        [10, 10, 30],
        [11, 20, 30],
      ],
    ],
    [
      'a look at the full hour tells of the hour before',
      [
        ['10:59:30', 1],
        ['11:00:00', 8],
      ],
      [[10, 7, 30]],
    ],
    [
      'a long gap: the last hour of it',
      [
        ['06:00:00', 0],
        ['11:30:00', 100],
      ],
      [
        [10, 50, 19800],
        [11, 50, 19800],
      ],
    ],
    ['a first look counts nothing', [['10:00:00', 1_000_000]], []],
    [
      'a series that never moves counts nothing',
      [
        ['10:00:00', 8],
        ['10:01:00', 8],
        ['12:00:00', 8],
      ],
      [],
    ],
    [
      'lower than before: began anew',
      [
        ['10:00:00', 8],
        ['10:01:00', 3],
      ],
      [[10, 3, 60]],
    ],
    [
      'silent for more than a day: begins anew as a first look',
      [
        ['2026-06-01T00:00:00Z', 8],
        ['2026-06-02T06:00:00Z', 20],
        ['2026-06-02T06:01:00Z', 21],
      ],
      [[6, 1, 60]],
    ],
  ])('%s', async (title, samples, expected) => expect(await hours(title, samples)).toEqual(expected))

  test('a late sample takes its share from the hours that were counted without it', async () => {
    expect(
      await hours('late', [
        ['10:10:00', 0],
        ['11:10:00', 60],
      ]),
    ).toEqual([
      [10, 50, 3600],
      [11, 10, 3600],
    ])
    expect(await hours('late', [['10:50:00', 6]])).toEqual([
      [10, 33, 2400],
      [11, 27, 1200],
    ])
  })
})

test('a target’s hours are counted in as few statements as reach them', () => {
  const hour = 3600
  const dirty = [
    { sender: 's', target: '1', hour: 0, samples: 1 },
    { sender: 's', target: '1', hour: 5 * hour, samples: 1 },
    { sender: 's', target: '2', hour: 0, samples: 1 },
    { sender: 's', target: '1', hour: 30 * hour, samples: 1 },
    { sender: 'other', target: '1', hour: 0, samples: 1 },
  ]
  expect(statementsOf(dirty)).toEqual([
    { sender: 's', since: 0, targets: ['1', '2'] },
    { sender: 'other', since: 0, targets: ['1'] },
    { sender: 's', since: 30 * hour, targets: ['1'] },
  ])
  expect(statementsOf(dirty.slice(0, 3), 24, 1)).toHaveLength(2)
})
