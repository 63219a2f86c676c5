import { describe, expect, test } from 'vitest'
import { type Candidate, createTurn } from '../../../services/collector/gather/turn.ts'

const MIB = 1 << 20
const GATHER_MS = 50

const chunk = (given: Partial<Candidate> = {}): Candidate => ({
  key: 'shop lines',
  sender: 'shop',
  bytes: 1000,
  sinceMs: 0,
  isClosed: false,
  ...given,
})

describe('when a chunk goes to the store', () => {
  test('alone: when it has waited, or takes nothing more', () => {
    const turn = createTurn(2, GATHER_MS)
    expect(turn.isDue(chunk(), GATHER_MS - 1)).toBe(false)
    expect(turn.isDue(chunk(), GATHER_MS)).toBe(true)
    expect(turn.isDue(chunk({ isClosed: true }), 0)).toBe(true)
  })

  test('beside another of its kind: when it is worth a statement; one of another kind goes as if alone', () => {
    const turn = createTurn(2, GATHER_MS)
    turn.begin(chunk())
    expect(turn.isDue(chunk(), 10_000)).toBe(false)
    expect(turn.isDue(chunk({ bytes: 48 * MIB }), GATHER_MS)).toBe(true)
    expect(turn.isDue(chunk({ key: 'shop spans' }), GATHER_MS)).toBe(true)
  })

  test('after another of its kind: a small one rests, a large one does not, and the rest has an end', () => {
    const turn = createTurn(2, GATHER_MS)
    turn.begin(chunk())
    turn.end(chunk(), 1000, 400)
    expect(turn.isDue(chunk({ sinceMs: 1000 }), 1100)).toBe(false)
    expect(turn.isDue(chunk({ sinceMs: 1000, bytes: 48 * MIB }), 1100)).toBe(true)
    expect(turn.isDue(chunk({ sinceMs: 1000, key: 'shop spans' }), 1100)).toBe(true)
    expect(turn.isDue(chunk({ sinceMs: 1000 }), 1200)).toBe(true)
  })

  test('with all lanes busy: another sender’s goes first in the queue, the same sender’s when it takes nothing more, and one that is large', () => {
    const turn = createTurn(2, GATHER_MS)
    turn.begin(chunk())
    turn.begin(chunk())
    expect(turn.isDue(chunk({ bytes: 32 * MIB }), 10_000)).toBe(false)
    expect(turn.isDue(chunk({ bytes: 48 * MIB }), 0)).toBe(true)
    expect(turn.isDue(chunk({ key: 'bank lines', sender: 'bank' }), 10_000)).toBe(true)
    expect(turn.isDue(chunk({ isClosed: true }), 0)).toBe(true)
    turn.begin(chunk())
    expect(turn.isDue(chunk({ bytes: 95 * MIB }), 10_000)).toBe(false)
    for (let ahead = 1; ahead < 4; ahead++) turn.begin(chunk())
    expect(turn.isDue(chunk({ isClosed: true }), 10_000)).toBe(false)
    expect(turn.isDue(chunk({ key: 'bank lines', sender: 'bank', isClosed: true }), 10_000)).toBe(true)
  })
})
