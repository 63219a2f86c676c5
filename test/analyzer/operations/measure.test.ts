import { describe, expect, test } from 'vitest'
import { TRAFFIC, total } from '../../bench/parts/templates.ts'
import { DEVELOPMENT, DRAWN, descriptions, HELD_OUT } from '../../openapi/setup.ts'
import { scoreOf } from './score.ts'

const all = descriptions() ?? []
const SMALL = new Set(['10 requests an operation', 'skewed, 5,000 entities', 'skewed, 300 entities'])

/** A part of what `npm run bench -- --only templates` measures. */
describe.skipIf(all.length === 0)('templates against API descriptions', { timeout: 180_000 }, () => {
  for (const [set, names] of [
    ['development', DEVELOPMENT],
    ['held out', HELD_OUT],
    ['drawn', DRAWN],
  ] as const)
    test.each(TRAFFIC.filter(({ name }) => SMALL.has(name)))(
      `${set}: $name`,
      ({ options, exact = 100, absorbed = 0 }) => {
        const scores = all.filter(({ name }) => names.includes(name)).map((api) => scoreOf(api, options))
        const sum = total(scores)
        const missed = scores.flatMap((score) => score.missed.map((one) => `${score.api} ${one}`)).join('\n')
        expect(sum.operations).toBeGreaterThan(1000)
        expect(sum.exact, missed).toBeGreaterThanOrEqual(exact)
        expect(sum.absorbed, missed).toBeLessThanOrEqual(absorbed)
      },
    )
})
