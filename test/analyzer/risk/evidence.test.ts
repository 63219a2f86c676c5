import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CAP_NATS, histogram, type Known, maturityOf, termsOf } from '../../../services/analyzer/risk/evidence.ts'
import { judge } from '../../../services/analyzer/risk/score.ts'
import type { RiskTerm } from '../../../services/model/risk.ts'

const of = (counts: Record<string, number>) => histogram(Object.entries(counts))
const seen = (counts: Record<string, number>) => of(counts).counts
const natsOf = (terms: RiskTerm[], value: string) => terms.find((term) => term.value === value)?.nats ?? Number.NaN

describe('evidence', () => {
  const known: Known = { own: of({ read: 150 }), all: of({ read: 250, refund: 100 }) }

  test('is the log-odds of everybody else against the entity, damped by ln(1+k), weighted by what is known of it', () => {
    const [read, refund] = termsOf('operation', seen({ read: 3, refund: 1 }), known)
    // Two values; the others saw 100 of each.
    const odds = Math.log(100.01 / 200.02 / (150.01 / 150.02))
    expect(read?.nats).toBeCloseTo(odds * Math.log(4) * (150 / 200), 9)
    expect(read).toMatchObject({
      dimension: 'operation',
      value: 'read',
      times: 3,
      seen_by_entity: 150,
      seen_by_peers: null,
    })
    const stranger = Math.min(CAP_NATS, Math.log(100.01 / 200.02 / (0.01 / 150.02)))
    expect(refund?.nats).toBeCloseTo(stranger * Math.log(2) * (150 / 200), 9)
  })

  test('peers take from what speaks against the entity, by how many of them do it, and never the other way', () => {
    const withPeers = (using: number) => ({
      ...known,
      peers: {
        members: 20,
        using: new Map([
          ['refund', using],
          ['read', 20],
        ]),
      },
    })
    const alone = natsOf(termsOf('operation', seen({ refund: 1 }), known), 'refund')
    const at = (using: number) => natsOf(termsOf('operation', seen({ refund: 1 }), withPeers(using)), 'refund')
    expect([at(0), at(1)]).toEqual([alone, alone])
    expect(at(5)).toBeCloseTo(alone * 0.75, 9)
    expect(at(20)).toBe(0)
    expect(natsOf(termsOf('operation', seen({ read: 1 }), withPeers(0)), 'read')).toBe(
      natsOf(termsOf('operation', seen({ read: 1 }), known), 'read'),
    )
  })

  test('an entity of which little is known says little, one of which nothing is known nothing', () => {
    const at = (own: number) =>
      natsOf(
        termsOf('operation', seen({ refund: 1 }), { own: of({ read: own }), all: of({ read: own, refund: 50 }) }),
        'refund',
      )
    expect(at(0)).toBe(0)
    expect(at(5)).toBeLessThan(at(50))
    expect(maturityOf(50)).toBe(0.5)
  })

  test('of dimensions that tell of one thing the one that says most counts', () => {
    const term = (dimension: string, nats: number): RiskTerm => ({
      ...{ dimension, value: 'x', times: 1, seen_by_entity: 0, seen_by_peers: null, nats },
    })
    const { whole, added } = judge([term('callee', 2), term('operation', 3), term('hour', -4), term('network', 1)])
    expect(whole).toEqual({ nats: 0, terms: [term('operation', 3), term('hour', -4), term('network', 1)] })
    expect(added).toEqual({ nats: 4, terms: [term('operation', 3), term('network', 1)] })
  })

  test('terms add up to the score, are finite and capped, whatever was counted', () => {
    const counts = fc.dictionary(fc.string({ maxLength: 3 }), fc.nat(1e6))
    const dimension = fc.constantFrom('callee', 'operation', 'network', 'agent', 'hour')
    const parts = fc.array(fc.tuple(dimension, counts, counts, counts), { maxLength: 6 })
    fc.assert(
      fc.property(parts, (drawn) => {
        const terms = drawn.flatMap(([name, observed, own, others]) => {
          const all = histogram([...Object.entries(own), ...Object.entries(others)])
          return termsOf(name, seen(observed), { own: of(own), all })
        })
        for (const { nats, times } of terms) {
          expect(Number.isFinite(nats)).toBe(true)
          expect(Math.abs(nats)).toBeLessThanOrEqual(CAP_NATS * Math.log1p(times) + 1e-9)
        }
        for (const { nats, terms: counted } of Object.values(judge(terms)))
          expect(counted.reduce((sum, term) => sum + term.nats, 0)).toBeCloseTo(nats, 6)
      }),
      { seed: 20_261_130 },
    )
  })
})
