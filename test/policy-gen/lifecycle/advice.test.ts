import { describe, expect, it } from 'vitest'
import { adviceOf, leastRiskyFirst } from '../../../policy-gen/lifecycle/advice.ts'
import type { DraftLife, MeasuredCall } from '../../../services/model/lifecycle.ts'

const AT = '2026-11-01T00:00:00.000Z'
const DAY_MS = 86_400_000
const draft = (more: Partial<DraftLife> = {}, predicted: Partial<DraftLife['predicted']> = {}): DraftLife => ({
  ...{
    target: 'istio',
    callee: 'shop/a',
    digest: 'd',
    state: 'dry_run',
    stale: false,
    owners: [],
    approvals: [],
    wanted: '',
    replaces: '',
  },
  predicted: {
    window: { since: '', until: '' },
    requests: 10_000,
    newly_denied: 100,
    denied_operations: 1,
    ...predicted,
  },
  ...{ at: AT, who: 'kim', why: 'test' },
  ...more,
})
const call = (requests: number, decision: MeasuredCall['decision'] = 'would_deny'): MeasuredCall => ({
  ...{ destination: 'shop/a', source: 's', method: 'GET', path: '/', decision, requests, last_seen: AT },
})
const asked = (life: DraftLife, requests: number, calls: MeasuredCall[], days: number, served = true) =>
  adviceOf(life, { requests, calls }, () => served, Date.parse(AT) + days * DAY_MS)

describe('what measured denials propose', () => {
  // Replay said 1 in 100: of 2,500 requests 25, with a standard deviation of 5.
  it.each([
    ['as many as replay said', 2500, 25, 2, 'promote'],
    ['within three standard deviations', 2500, 40, 2, 'promote'],
    ['beyond them', 2500, 41, 2, 'withdraw'],
    ['in less than a day', 2500, 25, 0.9, 'wait'],
    ['too few requests to tell', 99, 0, 2, 'wait'],
    ['none at all', 2500, 0, 1, 'promote'],
  ] as const)('%s', (_, requests, denied, days, action) => {
    expect(asked(draft(), requests, [call(denied)], days)).toMatchObject({ action, denied })
  })

  it('one that replay did not foresee is enough', () => {
    expect(asked(draft({}, { newly_denied: 0 }), 1_000_000, [call(1)], 30).action).toBe('withdraw')
  })

  it('what is enforced goes back to what was before it, where there was something', () => {
    const enforced = draft({ state: 'enforced' })
    expect(asked(enforced, 2500, [call(100, 'denied')], 0).action).toBe('withdraw')
    expect(asked({ ...enforced, replaces: 'c' }, 2500, [call(100, 'denied')], 0).action).toBe('roll_back')
    // Somebody else's dry run is not its doing.
    expect(asked(enforced, 2500, [call(100, 'would_deny')], 0)).toMatchObject({ action: 'keep', denied: 0 })
  })

  it('strangers that are refused count for nothing', () => {
    expect(asked(draft(), 2500, [call(2000)], 2, false)).toMatchObject({ action: 'promote', denied: 0, unknown: 2000 })
  })
})

it('the least risky is first: callees before defaults, then by denials, then by requests', () => {
  const drafts = [
    draft({ callee: 'shop/*' }, { denied_operations: 0, newly_denied: 0, requests: 1 }),
    draft({ callee: 'shop/busy' }, { denied_operations: 0, newly_denied: 0, requests: 900 }),
    draft({ callee: 'shop/denies' }, { denied_operations: 2, newly_denied: 5, requests: 3 }),
    draft({ callee: 'shop/quiet' }, { denied_operations: 0, newly_denied: 0, requests: 9 }),
  ]
  const order = ['shop/quiet', 'shop/busy', 'shop/denies', 'shop/*']
  expect(leastRiskyFirst(drafts).map(({ callee }) => callee)).toEqual(order)
  expect(leastRiskyFirst([...drafts].reverse()).map(({ callee }) => callee)).toEqual(order)
})
