import { describe, expect, test } from 'vitest'
import { FIRST_HOSTILE_PLACE } from './attacks.ts'
import { type Item, planOf, type Step } from './plan.ts'
import { type Received, type Sent, truthGraph } from './truth.ts'

const ATTACKS = [
  'credential-stuffing',
  'enumeration',
  'forged-inside',
  'forged-outside',
  'lateral-allowed',
  'lateral-refused',
  'new-caller',
  'plaintext-bypass',
  'plaintext-sidecar',
  'stolen-token',
]
const situations = (plan: Item[], attack: boolean) =>
  [...new Set(plan.filter((item) => item.attack === attack).map(({ situation }) => situation))].sort()

describe('the plan', () => {
  test('is the seed’s alone', () => {
    expect(planOf({ seed: 7, scale: 2 })).toEqual(planOf({ seed: 7, scale: 2 }))
    expect(planOf({ seed: 7, scale: 2 })).not.toEqual(planOf({ seed: 8, scale: 2 }))
  })

  test.each([0.1, 1, 5])('has every attack once at scale %d, after normal operation', (scale) => {
    const plan = planOf({ seed: 3, scale })
    expect(situations(plan, true)).toEqual(ATTACKS)
    expect(situations(plan, false)).toEqual(['legacy', 'report', 'session'])
    const first = plan.findIndex(({ attack }) => attack)
    expect(plan.slice(first).every(({ attack }) => attack)).toBe(true)
    expect(plan.map(({ item }) => item)).toEqual(plan.map((_, index) => index))
  })

  test('without attacks is normal operation only, and grows with scale', () => {
    const plan = planOf({ seed: 3, scale: 1, attacks: false })
    expect(situations(plan, true)).toEqual([])
    const steps = (items: Item[]) => items.reduce((sum, { steps: list }) => sum + list.length, 0)
    expect(steps(planOf({ seed: 3, scale: 4, attacks: false }))).toBeGreaterThan(3 * steps(plan))
  })

  test('nobody normal sits where attackers sit', () => {
    const place = (step: Step) =>
      step.kind === 'login' ? step.place : step.kind === 'http' && step.door.kind === 'browser' ? step.door.place : 0
    const normal = planOf({ seed: 5, scale: 3, attacks: false }).flatMap(({ steps }) => steps.map(place))
    expect(Math.max(...normal)).toBeLessThan(FIRST_HOSTILE_PLACE)
  })
})

/* The counts below are written by hand from what a reader of the records would say. */
describe('the graph of the truth', () => {
  const context = { item: 0, situation: 'x', attack: false, user: '' }
  const sent = (more: Partial<Sent>): Sent => ({
    ...context,
    ...{ kind: 'sent', call: 'c', time: '', caller: 'a/a', via: [], callee: 'b/b', protocol: 'http', method: 'GET' },
    ...{ path: '/', template: '/', status: 200, refused_by: '', answered: true, ...more },
  })
  const received = (more: Partial<Received>): Received => ({
    ...context,
    ...{ kind: 'received', call: 'c', time: '', caller: 'a/a', via: [], callee: 'b/b', port: 80, protocol: 'http' },
    ...{
      method: 'GET',
      path: '/',
      template: '/',
      status: 200,
      request_id: '',
      traceparent: '',
      bypass: false,
      ...more,
    },
  })
  const counts = (records: (Sent | Received)[]) =>
    truthGraph(records).map((edge) => `${edge.source} ${edge.destination} ${edge.requests}/${edge.denied}`)

  test('a repeated call is as many requests as arrived', () =>
    expect(counts([sent({}), received({}), received({})])).toEqual(['a/a b/b 2/0']))

  test('a refused one is denied, one that nobody got is nothing', () =>
    expect(counts([sent({ refused_by: 'callee' }), sent({ status: 0 })])).toEqual(['a/a b/b 0/1']))

  test('what a listener refused is a connection that was denied', () =>
    expect(truthGraph([sent({ refused_by: 'listener' })])).toMatchObject([
      { protocol: 'tcp', requests: 0, denied: 1, operations: [{ method: '', template: '', denied: 1 }] },
    ]))

  test('a gateway is a hop, and its own refusal ends there', () => {
    const via = ['g/g']
    expect(counts([sent({ via }), received({ via }), sent({ via, refused_by: 'gateway' })])).toEqual([
      'a/a g/g 1/1',
      'g/g b/b 1/0',
    ])
  })

  test('what the callee refuses to a gateway is denied behind it', () =>
    expect(counts([sent({ via: ['g/g'], refused_by: 'callee' })])).toEqual(['a/a g/g 1/0', 'g/g b/b 0/1']))
})
