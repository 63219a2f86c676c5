import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { type Figure, format, median, type Part } from '../bench.ts'
import type { Way } from '../network/bodies.ts'
import { whatIsMissing } from '../network/reach.ts'
import { measureSplit, type Split } from '../network/split.ts'
import { type Measured, measure } from '../network/throughput.ts'
import { measureVisible, type Rate, type Visible } from '../network/visible.ts'

interface Case {
  way: Way
  name: string
  unit: string
  asked: number
}

const CASES: Case[] = [
  { way: 'lines', name: 'lines over HTTP', unit: 'lines/s', asked: 150_000 },
  { way: 'otlp_http', name: 'spans over OTLP/HTTP', unit: 'spans/s', asked: 150_000 },
  { way: 'otlp_grpc', name: 'spans over OTLP/gRPC', unit: 'spans/s', asked: 150_000 },
  { way: 'als', name: 'Envoy access log service', unit: 'entries/s', asked: 50_000 },
]

/**
 * As many connections as there are senders: of SDKs each has one request under way, and it takes hundreds of them to fill the
 * rate that is asked for; a Collector has ten (`sending_queue.num_consumers`), and there are two. Envoy streams from each of
 * its workers.
 */
const BATCHES = [
  { batch: 512, connections: 256, name: 'as SDKs send, 256 connections' },
  { batch: 8192, connections: 20, name: 'as Collectors send, 20 connections' },
]
const STREAMS = 8

/** Receivers under load: sender and service are processes of their own on the same processors. */
export const network: Part = {
  name: 'network',
  missing: () => (existsSync('/proc/self/task') ? undefined : 'it reads processor times from /proc: run it on Linux'),
  run: async ({ dir, quick, lines, turns, withStore }) => {
    const measured: [Case, string, Measured[]][] = []
    for (const each of CASES) {
      const batches =
        each.way === 'als'
          ? [{ batch: lines / STREAMS, connections: STREAMS, name: 'messages of 16 KiB, 8 streams' }]
          : BATCHES
      for (const { batch, connections, name } of batches) {
        const runs: Measured[] = []
        for (let turn = 0; turn < turns; turn++) {
          const order = {
            way: each.way,
            batch: Math.floor(batch),
            records: lines,
            connections,
            first: 0,
            isPaced: false,
          }
          const run = await measure(dir, { ...order, startMs: Date.now(), perSecond: each.asked })
          runs.push(run)
          console.log(`${each.name}, ${name}: ${format(run.perSecond)} ${each.unit}`)
        }
        measured.push([each, name, runs])
      }
    }
    const visible: Figure[] = []
    for (const { way, name, rate } of STEADY) {
      const runs: Visible[] = []
      for (let turn = 0; turn < turns; turn++) {
        runs.push(await measureVisible(dir, way, quick ? 5 : VISIBLE_SECONDS, rate))
        console.log(`sent to visible, ${name}: 99 of 100 within ${format(within(runs.at(-1), 0.99))} ms`)
      }
      visible.push(...visibleFigures(name, runs))
    }
    const split = await measureSplit({ dir, withStore })
    const loads = measured.flatMap(([each, name, runs]) => figuresOf(each, name, runs, split.parts))
    return [...loads, ...visible, ...split.figures]
  },
}

const VISIBLE_SECONDS = 20

const CONNECTIONS = 128
const STEADY: { way: Way; name: string; rate: Rate }[] = [
  { way: 'lines', name: 'lines at 20,000/s', rate: { perSecond: 20_000, batch: 512, connections: CONNECTIONS } },
  { way: 'otlp_http', name: 'spans at 20,000/s', rate: { perSecond: 20_000, batch: 512, connections: CONNECTIONS } },
  {
    way: 'otlp_http',
    name: 'spans at 20,000/s in requests of 8,192',
    rate: { perSecond: 20_000, batch: 8192, connections: CONNECTIONS },
  },
]

const within = (run: Visible | undefined, share: number) =>
  run?.delays[Math.ceil(run.delays.length * share) - 1] ?? Number.NaN

function visibleFigures(name: string, runs: Visible[]): Figure[] {
  const at = (share: number) => median(runs.map((run) => within(run, share)))
  return [
    { what: `sent to visible in the graph, ${name}, 99 of 100`, value: at(0.99), unit: 'ms', asked: 'at most 2,000' },
    { what: '  half', value: at(0.5), unit: 'ms' },
    {
      what: '  processors that the service kept busy, the graph asked for 20 times a second',
      value: median(runs.map(({ usage, sent }) => usage.total / sent.seconds)),
      unit: '',
    },
  ]
}

/** Spans are the same whichever way they come; of access log entries the parts are not measured. */
const partsOf = (way: Way, parts: Split['parts']) => parts[way === 'otlp_grpc' ? 'otlp_http' : way] ?? []

function figuresOf({ way, name, unit, asked }: Case, batch: string, runs: Measured[], parts: Split['parts']): Figure[] {
  const of = (value: (run: Measured) => number) => median(runs.map(value))
  const per1000 = (seconds: (run: Measured) => number) => of((run) => (seconds(run) / run.sent.records) * 1e6)
  const reached = {
    perSecond: of((run) => run.perSecond),
    asked,
    per1000Ms: per1000((run) => run.sent.cpuSeconds + run.usage.total),
    processors: availableParallelism(),
    parts: partsOf(way, parts),
  }
  const figures: Figure[] = [
    {
      what: `${name}, ${batch}`,
      value: reached.perSecond,
      unit,
      asked: `at least ${asked.toLocaleString('en')}`,
      note: whatIsMissing(reached),
    },
    { what: '  processor time for 1,000: sender', value: per1000((run) => run.sent.cpuSeconds), unit: 'ms' },
    { what: '  service, thread of events', value: per1000((run) => run.usage.events), unit: 'ms' },
    { what: '  service, pool: unpacking, files, statements', value: per1000((run) => run.usage.pool), unit: 'ms' },
    { what: '  service, threads of the engine', value: per1000((run) => run.usage.engine), unit: 'ms' },
    { what: '  highest memory of the service', value: of((run) => run.usage.peakBytes / 2 ** 20), unit: 'MiB' },
    { what: '  requests sent again', value: of((run) => run.sent.again), unit: '' },
  ]
  const answers = runs.flatMap((run) => run.sent.answers).sort((a, b) => a - b)
  const at = (share: number) => answers[Math.floor((answers.length - 1) * share)] ?? Number.NaN
  if (answers.length > 0)
    figures.push(
      { what: '  answer after, half of the requests', value: at(0.5), unit: 'ms' },
      { what: '  answer after, 99 of 100', value: at(0.99), unit: 'ms' },
    )
  return figures
}
