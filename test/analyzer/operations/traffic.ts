import type { SeenPath } from '../../../services/analyzer/operations/rows.ts'
import type { Description, Route } from '../../openapi/routes.ts'
import { hash32, type Random, random } from '../../scenarios/random.ts'
import { valueFor } from './values.ts'

export interface TrafficOptions {
  seed?: number
  /** Requests of each operation; of skewed traffic their mean. */
  requests: number
  /** Standard deviation of the logarithm of the operations' rates; 0: all have the same. */
  sigma?: number
  /** Entities of each parameter. */
  entities?: number
  /** Whether entities are asked for alike, or the n-th 1/n times as often as the first. */
  zipf?: boolean
  /** Share of entities that are named by a slug. */
  slugs?: number
  /** Whether callers differ between the groups of an API, or one caller makes all requests. */
  callers?: boolean
}

/** A seen path, with the operation of the description that it was made for. */
export interface TrueRow extends SeenPath {
  route: Route
}

const CALLERS = 8

/** Requests for every operation of an API. Same options, same traffic. */
export function trafficOf({ name, routes }: Description, options: TrafficOptions): TrueRow[] {
  const { seed = 1, requests, sigma = 0, entities = 5000, zipf = false, slugs = 0, callers = true } = options
  const entityOf = zipf ? zipfian(entities) : (draw: Random) => Math.floor(draw() * entities)
  const rows = new Map<string, TrueRow & { callers: string[] }>()
  for (const route of routes) {
    const draw = random(seed, `${name} ${route.method} ${route.path}`)
    const rate = sigma === 0 ? requests : Math.round(requests * Math.exp(sigma * normal(draw) - (sigma * sigma) / 2))
    const makers = callers ? makersOf(name, route) : ['gateway']
    for (let request = 0; request < rate; request++) {
      const path = route.path.replace(/\{([^}]*)\}/g, (_, parameter: string) =>
        encodeURI(valueFor(name, parameter, route.parameters[parameter], entityOf(draw), slugs)),
      )
      const maker = makers[Math.floor(draw() * makers.length)] ?? ''
      const key = `${route.method} ${path}`
      const known = rows.get(key)
      if (!known) rows.set(key, { route, method: route.method, path, requests: 1, callers: [maker] })
      else {
        known.requests += 1
        if (!known.callers.includes(maker)) known.callers.push(maker)
      }
    }
  }
  return [...rows.values()]
}

/** One to three services use a group of operations (what is below the first two names), and all of it. */
function makersOf(api: string, { path }: Route): string[] {
  const group = path
    .split('/')
    .filter((segment) => segment !== '' && !segment.startsWith('{'))
    .slice(0, 3)
    .join('/')
  const hash = hash32(`${api} ${group}`)
  return Array.from({ length: 1 + (hash % 3) }, (_, at) => `service-${((hash >>> 8) + at * 3) % CALLERS}`)
}

function normal(draw: Random): number {
  return Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw())
}

function zipfian(entities: number): (draw: Random) => number {
  const cumulated: number[] = []
  let total = 0
  for (let rank = 1; rank <= entities; rank++) {
    total += 1 / rank
    cumulated.push(total)
  }
  return (draw) => {
    const at = draw() * total
    let [low, high] = [0, entities - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((cumulated[middle] ?? 0) < at) low = middle + 1
      else high = middle
    }
    return low
  }
}
