import { describe, expect, test } from 'vitest'
import { createTail } from '../../../services/analyzer/risk/tail.ts'
import { seeded } from '../../policy-gen/support.ts'

const EXPONENTIAL = (uniform: number) => -5 * Math.log(uniform)
/** Generalised Pareto of shape 0.3: the tail that honest scores have where a few people are of many habits. */
const HEAVY = (uniform: number) => (10 / 0.3) * (uniform ** -0.3 - 1)

function filled(draw: (uniform: number) => number, scores: number, seed: number) {
  const random = seeded(seed)
  const tail = createTail()
  for (let at = 0; at < scores; at += 1) tail.add(draw(1 - random()))
  return tail
}

describe('the tail', () => {
  test.each([
    ['exponential', EXPONENTIAL],
    ['heavy', HEAVY],
  ])('%s: what is exceeded once in a thousand and in ten thousand is told from ten thousand scores', (_, draw) => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const tail = filled(draw, 10_000, seed)
      for (const share of [1e-1, 1e-2, 1e-3, 1e-4]) {
        // What is really exceeded: the distribution is known.
        const threshold = tail.threshold(share) ?? Number.NaN
        const real = draw === EXPONENTIAL ? Math.exp(-threshold / 5) : (1 + (0.3 * threshold) / 10) ** (-1 / 0.3)
        expect(real / share).toBeGreaterThan(share < 1e-3 ? 0.25 : 0.6)
        expect(real / share).toBeLessThan(share < 1e-3 ? 4 : 1.7)
        expect(tail.exceedance(threshold)).toBeCloseTo(share, 3)
      }
    }
  })

  test('says nothing until enough was seen', () => {
    const tail = filled(EXPONENTIAL, 199, 1)
    expect([tail.threshold(1e-3), tail.exceedance(10)]).toEqual([undefined, undefined])
    tail.add(1)
    expect(tail.threshold(1e-3)).toBeGreaterThan(0)
  })

  test('alarms neither teach that they are usual nor thin the tail out', () => {
    const honest = filled(EXPONENTIAL, 10_000, 7)
    const limit = honest.threshold(1e-3) ?? 0
    const attacked = createTail()
    const random = seeded(7)
    for (let at = 0; at < 10_000; at += 1) {
      const score = EXPONENTIAL(1 - random())
      attacked.add(score, score > limit, limit)
    }
    expect((attacked.threshold(1e-4) ?? 0) / (honest.threshold(1e-4) ?? 1)).toBeGreaterThan(0.8)
    // A hundred attacks of any size move it as a hundred scores at the limit do.
    const [small, large] = [limit + 1, 1e9].map((score) => {
      const tail = filled(EXPONENTIAL, 9_900, 7)
      for (let at = 0; at < 100; at += 1) tail.add(score, true, limit)
      return tail.threshold(1e-3)
    })
    expect(small).toBe(large)
  })

  test('is finite where all scores are alike, and no level is reached by chance more often than a likelihood ratio is', () => {
    const tail = filled(() => -40, 1_000, 1)
    expect(tail.threshold(1e-3)).toBeCloseTo(Math.log(1_000), 9)
    expect(tail.exceedance(-40)).toBe(1)
    expect(tail.exceedance(5)).toBeLessThan(1e-3)
  })
})
