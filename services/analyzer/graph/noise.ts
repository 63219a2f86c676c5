import type { NoisyCaller } from '../../model/graph.ts'
import { readShape } from '../../model/shape.ts'
import type { AgentRow } from '../../store/queries/agents.ts'
import type { HourRow, OperationRow } from '../../store/queries/rollups.ts'
import type { Call } from './calls.ts'

/*
 * Callers whose requests say nothing of what an application needs: probes, scrapers, synthetic monitoring. What it does not see: probes of
 * plain TCP, those of paths with other names, and any that was refused once. A caller chooses paths and user agents, so neither is
 * believed alone: one that also asks for anything else, with another method, or was refused, is shown as it is.
 */

/** Whole hours that a rate is judged by. Of as many with random arrivals (Poisson), one edge in 3,000 looks as regular. */
const HOURS_MIN = 12
/** Variance of the requests an hour, in means: 1 for random arrivals, near 0 for a timer. */
const DISPERSION_MAX = 0.1
/** Operations that a monitor asks for; who uses more of an API is a client. */
const MONITORED_MAX = 3
const HOUR_MS = 3_600_000

const PROBED =
  /^\/(?:app-health\/[^/]+\/(?:livez|readyz|startupz)|(?:-\/|actuator\/|q\/|api\/)?health(?:z|y|check|_check)?(?:\/(?:live(?:ness)?|ready|readiness|started|startup))?|(?:-\/)?(?:livez?|liveness|readyz?|readiness|startupz|ping)|grpc\.health\.v1\.Health\/(?:Check|Watch))\/?$/i
const SCRAPED = /^\/(?:metrics(?:\/[a-z]+)?|actuator\/prometheus|stats\/prometheus|federate)\/?$/i

type OperationCall = Call<OperationRow>

/** All that one caller asked of one callee. */
interface Pair {
  calls: OperationCall[]
  requests: number
}

const pairKey = ({ source, destination }: OperationCall) => JSON.stringify([source.id, destination.id])

/** Edges on which nothing was asked that speaks against a noisy caller: whose hours and user agents are worth looking at. */
export function noiseCandidates(calls: readonly OperationCall[]): string[] {
  return [...pairsOf(calls).values()].flatMap((pair) => (mayBe(pair) ? edgesOf(pair) : []))
}

/**
 * Takes noisy callers' calls away, and says whose, why, and how many.
 * @param hours of the candidates' edges by the hour
 * @param agents their requests by whether the user agent is a probe's, a scraper's or a monitor's
 */
export function withoutNoise(
  calls: readonly OperationCall[],
  hours: readonly HourRow[],
  agents: readonly AgentRow[],
): { calls: OperationCall[]; hidden: NoisyCaller[] } {
  const hoursOf = Map.groupBy(hours, ({ edge }) => edge)
  const agentsOf = new Map(agents.map((row) => [row.edge, row]))
  const hidden = new Map<string, NoisyCaller>()
  for (const [key, pair] of pairsOf(calls)) {
    if (!mayBe(pair)) continue
    const edges = edgesOf(pair)
    const noise = noiseOf(pair, isRegular(edges.flatMap((edge) => hoursOf.get(edge) ?? [])), (kind) =>
      edges.every((edge) => agentsOf.get(edge)?.[kind] === agentsOf.get(edge)?.requests && agentsOf.has(edge)),
    )
    const [first] = pair.calls
    if (noise && first)
      hidden.set(key, { source: first.source.id, destination: first.destination.id, requests: pair.requests, ...noise })
  }
  return {
    calls: calls.filter((call) => !hidden.has(pairKey(call))),
    hidden: [...hidden.values()].sort((a, b) => b.requests - a.requests || (a.source < b.source ? -1 : 1)),
  }
}

function pairsOf(calls: readonly OperationCall[]): Map<string, Pair> {
  const groups = Map.groupBy(calls, pairKey)
  const sum = (own: readonly OperationCall[]) => own.reduce((all, { row }) => all + row.requests, 0)
  return new Map([...groups].map(([key, own]) => [key, { calls: own, requests: sum(own) }]))
}

const edgesOf = ({ calls }: Pair) => [...new Set(calls.map(({ row }) => row.edge))]
const pathsOf = ({ calls }: Pair) => [...new Set(calls.map(({ row }) => row.shape))]

function mayBe(pair: Pair): boolean {
  const reads = pair.calls.every(
    ({ row }) => row.denied === 0 && (row.method === 'GET' || row.method === 'HEAD' || row.protocol === 'grpc'),
  )
  return reads && (all(pair, PROBED) || all(pair, SCRAPED) || pathsOf(pair).length <= MONITORED_MAX)
}

const all = (pair: Pair, form: RegExp) =>
  pathsOf(pair).every((shape) => readShape(shape).operation === '' && form.test(shape))

function noiseOf(
  pair: Pair,
  isSteady: boolean,
  isAgent: (kind: 'probe' | 'scraper' | 'monitor') => boolean,
): Pick<NoisyCaller, 'kind' | 'why'> | undefined {
  const steady = 'at the same rate every hour'
  for (const [kind, form] of [['probe', PROBED] as const, ['scraper', SCRAPED] as const]) {
    if (!all(pair, form)) continue
    const told = [isAgent(kind) ? `the user agent of a ${kind}` : '', isSteady ? steady : ''].filter(
      (why) => why !== '',
    )
    if (told.length > 0) return { kind, why: `asks only for ${pathsOf(pair).sort().join(', ')}; ${told.join(', ')}` }
  }
  if (isSteady && isAgent('monitor') && pair.calls.every(({ row }) => row.protocol !== 'grpc'))
    return { kind: 'monitor', why: `reads ${pathsOf(pair).sort().join(', ')}; the user agent of a monitor, ${steady}` }
  return undefined
}

/** Whether requests come as a timer sends them; hours that are not whole, the first and the last, say nothing. */
export function isRegular(hours: readonly Pick<HourRow, 'hour' | 'requests'>[]): boolean {
  const counts = new Map<number, number>()
  for (const { hour, requests } of hours) {
    const at = Date.parse(hour) / HOUR_MS
    counts.set(at, (counts.get(at) ?? 0) + requests)
  }
  const [first, last] = [Math.min(...counts.keys()), Math.max(...counts.keys())]
  const length = last - first - 1
  if (!(length >= HOURS_MIN)) return false
  const whole = Array.from({ length }, (_, at) => counts.get(first + 1 + at) ?? 0)
  const mean = whole.reduce((sum, count) => sum + count, 0) / length
  const variance = whole.reduce((sum, count) => sum + (count - mean) ** 2, 0) / (length - 1)
  return mean >= 1 && variance <= DISPERSION_MAX * mean
}
