import { learnTemplates } from '../../../services/analyzer/operations/learn.ts'
import type { OperationTemplate } from '../../../services/model/template.ts'
import type { Description, Route } from '../../openapi/routes.ts'
import { type TrafficOptions, type TrueRow, trafficOf } from './traffic.ts'

/** How well an API's operations were found. Only those with at least `REQUESTS_COUNTED` requests count. */
export interface Score {
  api: string
  operations: number
  /** Operations whose very template was learned. */
  exact: number
  /** Operations all of whose requests have it: none is left to a value that was taken for a name, none without a template. */
  whole: number
  /** Operations with a name in their path that a parameter swallowed: most of their requests have such a template. */
  absorbed: number
  /** Templates that are no operation's. */
  extra: number
  /** Requests of these, of templates that swallow, and of none. */
  requests: number
  extraRequests: number
  absorbedRequests: number
  bareRequests: number
  paths: number
  milliseconds: number
  missed: string[]
}

export const REQUESTS_COUNTED = 10

/** Generates an API's traffic, learns from it, and holds what was learned against the description. */
export function scoreOf(description: Description, options: TrafficOptions): Score {
  const rows = trafficOf(description, options)
  const started = performance.now()
  const { learned, templateOf } = learnTemplates(rows)
  const milliseconds = performance.now() - started
  const score: Score = {
    ...{ api: description.name, operations: 0, exact: 0, whole: 0, absorbed: 0, extra: 0 },
    ...{ requests: 0, extraRequests: 0, absorbedRequests: 0, bareRequests: 0 },
    ...{ paths: rows.length, milliseconds, missed: [] },
  }
  const right = new Set<OperationTemplate>()
  for (const [route, ofRoute] of Map.groupBy(rows, (row) => row.route)) {
    const found = new Map<OperationTemplate | undefined, number>()
    for (const row of ofRoute) {
      const template = templateOf(row)
      found.set(template, (found.get(template) ?? 0) + row.requests)
    }
    addOperation(score, route, found, right, ofRoute)
  }
  score.extra = learned.templates.filter((template) => !right.has(template)).length
  return score
}

function addOperation(
  score: Score,
  route: Route,
  found: ReadonlyMap<OperationTemplate | undefined, number>,
  right: Set<OperationTemplate>,
  rows: readonly TrueRow[],
): void {
  const all = rows.reduce((sum, row) => sum + row.requests, 0)
  const requestsWith = (kind: ReturnType<typeof compare>) =>
    [...found]
      .filter(([template]) => compare(route, template) === kind)
      .reduce((sum, [, requests]) => sum + requests, 0)
  for (const template of found.keys()) if (template && compare(route, template) === 'same') right.add(template)
  if (all < REQUESTS_COUNTED) {
    // What has too few requests to be found may leave templates that are no mistake.
    for (const template of found.keys()) if (template && compare(route, template) === 'narrower') right.add(template)
    return
  }
  const [exact, absorbed, bare] = [requestsWith('same'), requestsWith('absorbs'), requestsWith('none')]
  score.operations += 1
  score.requests += all
  if (exact > 0) score.exact += 1
  else
    score.missed.push(
      `${route.method} ${route.path}: ${[...found.keys()]
        .slice(0, 4)
        .map((t) => t?.id ?? 'none')
        .join(', ')}`,
    )
  if (exact === all) score.whole += 1
  if (absorbed * 2 > all) score.absorbed += 1
  score.absorbedRequests += absorbed
  score.bareRequests += bare
  score.extraRequests += all - exact - absorbed - bare
}

/**
 * Names where the description has names, parameters where it has parameters. One whose values the description lists may be
 * either: a list of values is a parameter as well as so many operations.
 */
function compare(route: Route, template: OperationTemplate | undefined): 'same' | 'absorbs' | 'narrower' | 'none' {
  if (!template) return 'none'
  const segments = route.path.slice(1).split('/')
  if (template.segments.length !== segments.length) return 'absorbs'
  let narrower = false
  for (const [at, segment] of segments.entries()) {
    const names = [...segment.matchAll(/\{([^}]*)\}/g)].map(([, name = '']) => name)
    const parts = template.segments[at] ?? []
    const isName = parts.every((part) => 'literal' in part)
    if (names.length === 0 && !isName) return 'absorbs'
    if (names.length > 0 && isName && !names.some((name) => (route.parameters[name]?.values.length ?? 0) > 0))
      narrower = true
  }
  return narrower ? 'narrower' : 'same'
}
