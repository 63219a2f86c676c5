import { LineBuffer } from './buffer.ts'
import { Driver } from './driver.ts'
import { JOURNEYS } from './journeys.ts'
import type { LineFormat } from './line.ts'
import { DECLARED, PLANT_NOTES, PLANTED_JOURNEYS, type PlantNote, STANDING_NOTES } from './planted.ts'
import { random } from './random.ts'
import { DAY_MS, isLastDayOfMonth } from './rhythm.ts'
import { chooseBothSided } from './route.ts'
import { arrivals, type Window } from './schedule.ts'
import { type CallSpec, type JourneySpec, readJourneys } from './tables.ts'
import { countsOf, createTally, Ledger, type Truth, type TruthPlant } from './truth.ts'
import { CANARY_AT, CLUSTERS, type Cluster, createWorld } from './world.ts'

export interface ShopOptions {
  /** Any whole number; the same options give the same bytes. */
  seed: number
  /** End of the window, exclusive. */
  end: Date
  /** Whole days, 1 to 400. */
  days: number
  /** About how many calls, at least 5,000 (the planted and nightly ones come on top of nothing less). */
  requests: number
  /** Share of edges, 0 to 1, whose caller's sidecar logs every call too (default 0.05). */
  bothSides?: number
  /** `recommended` (default) or Istio's `default` 24 keys. */
  format?: LineFormat
}

/** Complete lines of one cluster's log, each with its newline, in about the order of their ends. */
export interface Batch {
  cluster: Cluster
  lines: number
  bytes: Buffer
}

/**
 * The shop's access log, batch by batch, and as the generator's return value the ground truth, counted while the calls were
 * made. Deterministic for equal options. Throws when an option is out of range.
 */
export function shopScenario(options: ShopOptions): Generator<Batch, Truth> {
  // Not the generator itself: a wrong option is to be refused here and not at the first batch.
  return run(checked(options))
}

function* run(options: ShopOptions): Generator<Batch, Truth> {
  const { bothSides = 0.05, format = 'recommended', seed } = options
  const window = windowOf(options)
  const world = createWorld()
  const journeys = shopJourneys()
  const ledger = new Ledger()
  const routing = { world, ledger, bothSided: chooseBothSided(world, journeys, bothSides, seed) }
  const buffers = CLUSTERS.map(() => new LineBuffer())
  const write = (cluster: number, line: string) => buffers[cluster]?.add(line)
  const canaryMs = window.sinceMs + CANARY_AT * (window.untilMs - window.sinceMs)
  const driver = new Driver(world, routing, { seed, format, canaryMs }, write)
  const totals = CLUSTERS.map(() => 0)
  const flush = function* (all: boolean): Generator<Batch> {
    for (const [i, cluster] of CLUSTERS.entries()) {
      const buffer = buffers[i]
      if (!buffer || !(buffer.full || (all && buffer.lines > 0))) continue
      const { lines, bytes } = buffer.take()
      totals[i] = (totals[i] ?? 0) + lines
      yield { cluster, lines, bytes }
    }
  }
  for (const starts of arrivals(journeys, window, options.requests, random(seed, 'arrivals')))
    for (const { journey, timeMs } of starts) {
      driver.run(journey, timeMs)
      yield* flush(false)
    }
  yield* flush(true)
  return truthOf(seed, window, journeys, ledger, totals)
}

/** The ground truth alone: makes the same calls and throws the lines away. */
export function shopTruth(options: ShopOptions): Truth {
  const batches = shopScenario(options)
  let step = batches.next()
  while (!step.done) step = batches.next()
  return step.value
}

/** All journeys, planted ones last. */
export function shopJourneys(): JourneySpec[] {
  return [...readJourneys(JOURNEYS), ...readJourneys(PLANTED_JOURNEYS)]
}

function checked(options: ShopOptions): ShopOptions {
  const { seed, end, days, requests, bothSides = 0, format = 'recommended' } = options
  const refuse = (what: string) => new RangeError(`shop scenario: ${what}`)
  if (!Number.isSafeInteger(seed)) throw refuse(`seed must be a whole number, not ${seed}`)
  if (Number.isNaN(end.getTime())) throw refuse('end is no date; write it as 2026-11-01T00:00:00Z')
  if (!Number.isInteger(days) || days < 1 || days > 400) throw refuse(`days must be 1 to 400, not ${days}`)
  if (!Number.isInteger(requests) || requests < 5000) throw refuse(`requests must be at least 5000, not ${requests}`)
  if (!(bothSides >= 0 && bothSides <= 1)) throw refuse(`bothSides must be 0 to 1, not ${bothSides}`)
  if (format !== 'recommended' && format !== 'default')
    throw refuse(`format must be recommended or default, not ${format}`)
  return options
}

function windowOf({ end, days }: ShopOptions): Window {
  return { sinceMs: end.getTime() - days * DAY_MS, untilMs: end.getTime() }
}

function truthOf(seed: number, window: Window, journeys: JourneySpec[], ledger: Ledger, lines: number[]): Truth {
  const calls = ledger.calls()
  const plants = (kind: PlantNote['kind']) =>
    [...PLANT_NOTES, ...STANDING_NOTES]
      .filter((note) => note.kind === kind)
      .map((note) => plantOf(note, journeys, ledger))
  return {
    scenario: 'shop',
    seed,
    window: { since: new Date(window.sinceMs).toISOString(), until: new Date(window.untilMs).toISOString() },
    calls_total: calls.reduce((sum, call) => sum + call.requests + call.denied, 0),
    lines: Object.fromEntries(CLUSTERS.map((cluster, i) => [cluster, lines[i] ?? 0])),
    calls,
    problems: plants('problem'),
    distractors: plants('distractor'),
    calendar: {
      month_ends_in_window: monthEnds(window),
      canary_since: new Date(window.sinceMs + CANARY_AT * (window.untilMs - window.sinceMs)).toISOString(),
    },
    declared: DECLARED.map(({ journey, why, owner }) => {
      const spec = journeys.find(({ name }) => name === journey)
      const operations = spec ? operationNames(spec.from, spec.calls, () => true) : []
      return { journey, why, owner, seen: ledger.journeys.has(journey), operations }
    }),
  }
}

function plantOf({ id, title, notice }: PlantNote, journeys: JourneySpec[], ledger: Ledger): TruthPlant {
  const journey = journeys.find(({ plant }) => plant === id)
  const operations = journey ? operationNames(journey.from, journey.calls, ({ evidence }) => evidence) : []
  return { id, title, notice, operations, ...countsOf(ledger.plants.get(id) ?? createTally()) }
}

function operationNames(caller: string, calls: CallSpec[], wanted: (call: CallSpec) => boolean): string[] {
  return calls.flatMap((call) => [
    ...(wanted(call) ? [`${caller} > ${call.service} ${call.method} ${call.path.template}`] : []),
    ...operationNames(call.service, call.calls, wanted),
  ])
}

function monthEnds({ sinceMs, untilMs }: Window): string[] {
  const ends: string[] = []
  for (let day = Math.floor(sinceMs / DAY_MS) * DAY_MS; day < untilMs; day += DAY_MS) {
    const closing = day + 22 * 3_600_000
    if (isLastDayOfMonth(day) && closing < untilMs && closing + 3_600_000 > sinceMs)
      ends.push(new Date(day).toISOString().slice(0, 10))
  }
  return ends
}
