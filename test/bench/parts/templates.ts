import { learnTemplates } from '../../../services/analyzer/operations/learn.ts'
import { type Score, scoreOf } from '../../analyzer/operations/score.ts'
import { type TrafficOptions, trafficOf } from '../../analyzer/operations/traffic.ts'
import type { Description } from '../../openapi/routes.ts'
import { DEVELOPMENT, DRAWN, descriptions, HELD_OUT } from '../../openapi/setup.ts'
import { type Figure, format, type Part } from '../bench.ts'

const skewed = (entities: number, callers = true): TrafficOptions => ({
  ...{ requests: 100, sigma: 1.5, entities, zipf: true, slugs: 0.5, callers },
})

interface Traffic {
  name: string
  options: TrafficOptions
  exact?: number
  absorbed?: number
}

/** The traffic that templates are learned from, with the figures that are asked of it: operations exact, absorbed, in percent. */
export const TRAFFIC: Traffic[] = [
  { name: '10 requests an operation', options: { requests: 10 }, exact: 99.5, absorbed: 0.5 },
  { name: '100 requests an operation', options: { requests: 100 }, exact: 99.5, absorbed: 0.5 },
  { name: '1,000 requests an operation', options: { requests: 1000 }, exact: 99.5, absorbed: 0.5 },
  { name: '10 requests, one caller', options: { requests: 10, callers: false }, exact: 99.5, absorbed: 0.5 },
  { name: 'skewed, 5,000 entities', options: skewed(5000), exact: 98, absorbed: 1 },
  { name: 'skewed, 300 entities', options: skewed(300), exact: 98, absorbed: 1 },
  { name: 'skewed, 30 entities', options: skewed(30) },
  { name: 'skewed, 5,000 entities, one caller', options: skewed(5000, false) },
  { name: 'skewed, 300 entities, one caller', options: skewed(300, false) },
]

const percent = (part: number, all: number) => (all === 0 ? 100 : (100 * part) / all)

/** All scores of a kind of traffic as one. */
export function total(scores: readonly Score[]) {
  const sum = (
    key:
      | 'operations'
      | 'exact'
      | 'whole'
      | 'absorbed'
      | 'extra'
      | 'requests'
      | 'extraRequests'
      | 'absorbedRequests'
      | 'bareRequests',
  ) => scores.reduce((all, score) => all + score[key], 0)
  return {
    operations: sum('operations'),
    exact: percent(sum('exact'), sum('operations')),
    whole: percent(sum('whole'), sum('operations')),
    absorbed: percent(sum('absorbed'), sum('operations')),
    extra: sum('extra'),
    extraRequests: percent(sum('extraRequests'), sum('requests')),
    absorbedRequests: percent(sum('absorbedRequests'), sum('requests')),
    bareRequests: percent(sum('bareRequests'), sum('requests')),
  }
}

/** How well path templates are learned, by API and kind of traffic, and what learning from a million paths takes. */
export const templates: Part = {
  name: 'templates',
  missing: () => (descriptions() ? undefined : 'the API descriptions are not there (npm run openapi:setup)'),
  run: async ({ quick }) => {
    const all = descriptions() ?? []
    const traffic = TRAFFIC.filter(({ options }) => !quick || options.requests <= 100)
    const sets = [['development', DEVELOPMENT] as const, ['held out', HELD_OUT] as const, ['drawn', DRAWN] as const]
    const figures = sets.flatMap(([set, names]) => {
      const apis = all.filter(({ name }) => names.includes(name))
      return traffic.flatMap((one) => measure(set, apis, one))
    })
    return [...figures, ...million(all)]
  },
}

function measure(set: string, apis: readonly Description[], { name, options, exact, absorbed }: Traffic): Figure[] {
  const scores = apis.map((api) => scoreOf(api, options))
  console.log(`\ntemplates, ${set}: ${name}`)
  console.log(
    `${'API'.padEnd(28)} operations   exact   whole absorbed extra | requests: extra absorbed  bare | paths   ms`,
  )
  for (const score of scores) printScore(score.api, total([score]), score)
  const sum = total(scores)
  printScore('all', sum)
  const asked = (word: string, figure: number | undefined) =>
    figure === undefined ? {} : { asked: `${word} ${figure}` }
  return [
    { what: `templates, ${set}, ${name}: exact`, value: sum.exact, unit: '%', ...asked('at least', exact) },
    { what: '  names absorbed by a parameter', value: sum.absorbed, unit: '%', ...asked('at most', absorbed) },
  ]
}

function printScore(name: string, sum: ReturnType<typeof total>, score?: Score): void {
  const share = (value: number) => value.toFixed(2).padStart(7)
  const cells = [String(sum.operations).padStart(10), share(sum.exact), share(sum.whole), share(sum.absorbed)]
  const requests = [share(sum.extraRequests), share(sum.absorbedRequests), share(sum.bareRequests)]
  const cost = score ? `${score.paths} ${score.milliseconds.toFixed(0)}` : ''
  console.log(
    `${name.padEnd(28)} ${cells.join(' ')} ${String(sum.extra).padStart(6)} |    ${requests.join(' ')} | ${cost}`,
  )
}

const MILLION = 1_000_000

function million(all: readonly Description[]): Figure[] {
  const api = all.find(({ name }) => name === 'zoom.us')
  if (!api) return []
  const rows = trafficOf(api, { requests: 6000, sigma: 1.5, entities: 2 * MILLION, slugs: 0.5 }).slice(0, MILLION)
  const started = performance.now()
  const { learned } = learnTemplates(rows)
  const seconds = (performance.now() - started) / 1000
  const megabytes = process.memoryUsage().rss / 2 ** 20
  return [
    {
      what: `${format(rows.length)} distinct paths of one callee: learned in`,
      value: seconds,
      unit: 's',
      asked: 'at most 10',
    },
    { what: '  templates', value: learned.templates.length, unit: '' },
    { what: '  memory of the process, with the paths', value: megabytes, unit: 'MB' },
  ]
}
