import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chained, EMPTY_HEAD } from '../../../policy-gen/lifecycle/chain.ts'
import { draftIn, type Life, lifeOf } from '../../../policy-gen/lifecycle/machine.ts'
import { type Facts, refusal } from '../../../policy-gen/lifecycle/refusal.ts'
import { isOpen, readChangeWindow } from '../../../policy-gen/lifecycle/windows.ts'
import type { DraftId, DraftLife, LogEntry, Said, Step } from '../../../services/model/lifecycle.ts'

/** A Monday, 10:00 UTC; the change window is 09:00 to 16:00. */
const OPEN = '2026-11-30T10:00:00.000Z'
const CLOSED = '2026-11-30T16:00:00.000Z'
const OWNERS = [[], ['team-a'], ['team-a', 'team-b']]
const predicted = (operations: number) => ({
  window: { since: '', until: '' },
  requests: 10,
  newly_denied: operations,
  denied_operations: operations,
})

interface Try {
  id: DraftId
  step: Step
  facts: Facts
}

const anyTry: fc.Arbitrary<Try> = fc
  .record({
    callee: fc.constantFrom('shop/a', 'shop/a', 'shop/a', 'shop/b'),
    digest: fc.constantFrom('1', '1', '2'),
    owners: fc.constantFrom(...OWNERS),
    denied: fc.constantFrom(0, 0, 3),
    at: fc.constantFrom(OPEN, OPEN, OPEN, CLOSED),
    hasDryRun: fc.boolean(),
    expired: fc.constantFrom([], [], [], ['dr']),
    as: fc.constantFrom('team-a', 'team-b', 'team-c', ''),
    acknowledged: fc.constantFrom(0, 3),
    unowned: fc.boolean(),
    to: fc.constantFrom('dry_run' as const, 'enforced' as const),
    stage: fc.constantFrom('absent' as const, 'dry_run' as const, 'enforced' as const),
    action: fc.constantFrom(
      ...(['propose', 'return', 'withdraw', 'roll_back', 'roll_back'] as const),
      ...(Array(10).fill(['submit', 'approve', 'approve', 'promote', 'promote', 'confirm', 'confirm']).flat() as (
        | 'submit'
        | 'approve'
        | 'promote'
        | 'confirm'
      )[]),
    ),
  })
  .map(({ callee, digest, owners, denied, at, hasDryRun, expired, as, acknowledged, unowned, to, stage, action }) => ({
    id: { target: 'istio', callee, digest },
    facts: { at, hasDryRun, expired },
    step:
      action === 'propose'
        ? { action, owners, predicted: predicted(denied) }
        : action === 'approve'
          ? { action, as, acknowledged, unowned }
          : action === 'promote'
            ? { action, to }
            : action === 'confirm'
              ? { action, stage }
              : { action },
  }))

/** Of each handful the first that is let pass is done: nobody would get far who tries at random. */
const anyTries = fc.array(fc.array(anyTry, { minLength: 1, maxLength: 8 }), { minLength: 50, maxLength: 150 })

/** The log after the tries that were let pass, each with what was seen of the draft just before it. */
function played(handfuls: readonly (readonly Try[])[]) {
  let entries: LogEntry[] = chained(EMPTY_HEAD, [
    { at: OPEN, who: 'kim', why: 'test', said: { about: 'windows', windows: ['Mon-Fri 09:00-16:00'] } },
  ])
  const passed: Try[] = []
  let life = lifeOf(entries)
  const lives: Life[] = []
  for (const handful of handfuls) {
    const one = handful.find(({ id, step, facts }) => refusal(life, id, step, facts) === null)
    if (!one) continue
    const said: Said = { about: 'draft', draft: one.id, step: one.step }
    entries = [
      ...entries,
      ...chained(entries.at(-1) ?? EMPTY_HEAD, [{ at: one.facts.at, who: 'kim', why: 'test', said }]),
    ]
    life = lifeOf(entries)
    passed.push(one)
    lives.push(life)
  }
  return { entries, passed, lives }
}

/**
 * Told from the history alone: whether somebody who may approved this digest since it was last proposed, returned or withdrawn, each
 * owner of it where it has any, and knew of all that would be denied.
 */
function wasApproved(history: readonly Try[], { callee, digest }: DraftId): boolean {
  let owners: string[] = []
  let denied = -1
  let approvals: string[] = []
  for (const { id, step } of history.filter((one) => one.id.callee === callee && one.id.digest === digest)) {
    if (id.digest !== digest) continue
    if (step.action === 'propose') [owners, denied, approvals] = [step.owners, step.predicted.denied_operations, []]
    if (step.action === 'return' || step.action === 'withdraw') approvals = []
    if (
      step.action === 'approve' &&
      step.acknowledged === denied &&
      (owners.length > 0 ? owners.includes(step.as) : step.unowned && step.as !== '')
    )
      approvals.push(step.as)
  }
  return owners.length > 0 ? owners.every((owner) => approvals.includes(owner)) : approvals.length > 0
}

const all = (life: Life): DraftLife[] => [...life.drafts.values()].flat()

describe('whatever is tried, in whatever order', () => {
  const checks: Record<string, (state: { history: Try[]; life: Life; before: Life | undefined }) => void> = {
    'nothing is tried or enforced, or may be, that was not approved by its digest': ({ history, life }) => {
      for (const draft of all(life)) {
        const reaches =
          draft.state === 'dry_run' ||
          draft.state === 'enforced' ||
          draft.wanted === 'dry_run' ||
          draft.wanted === 'enforced'
        // What is being withdrawn is still there, and on its way out.
        if (reaches && draft.wanted !== 'withdrawn')
          expect(wasApproved(history, draft), JSON.stringify(draft)).toBe(true)
      }
    },
    'one draft of a callee is enforced at a time': ({ life }) => {
      for (const drafts of life.drafts.values())
        expect(drafts.filter(({ state }) => state === 'enforced').length).toBeLessThan(2)
    },
    'nothing is promoted outside of a change window, nor on what has expired': ({ history }) => {
      for (const { step, facts } of history)
        if (step.action === 'promote') expect([facts.at, facts.expired]).toEqual([OPEN, []])
    },
    'nothing is enforced that was not promoted to it, or rolled back to': ({ history, life }) => {
      for (const { target, callee, digest, state } of all(life)) {
        if (state !== 'enforced') continue
        const asked = history.some(
          ({ id, step }) =>
            id.callee === callee &&
            ((id.digest === digest && step.action === 'promote' && step.to === 'enforced') ||
              step.action === 'roll_back'),
        )
        expect(asked, `${target} ${callee} ${digest}`).toBe(true)
      }
    },
    'an approved draft that a later one stands before is stale': ({ life }) => {
      for (const drafts of life.drafts.values()) {
        const live = drafts.filter((draft) => draft.state !== 'withdrawn' && draft.wanted !== 'withdrawn')
        for (const draft of live.slice(0, -1)) expect(draft.stale || draft.state === 'enforced').toBe(true)
        expect(live.at(-1)?.stale ?? false).toBe(false)
      }
    },
  }

  it.each(Object.entries(checks))('%s', (_, check) => {
    fc.assert(
      fc.property(anyTries, (tries) => {
        const { passed, lives } = played(tries)
        for (const [at, life] of lives.entries())
          check({ history: passed.slice(0, at + 1), life, before: lives[at - 1] })
      }),
      { numRuns: 300, seed: 7 },
    )
  })

  it('and the tries reach every state, so that the above says something', () => {
    const seen = new Set<string>()
    const samples = fc.sample(anyTries, { numRuns: 300, seed: 7 })
    for (const tries of samples)
      for (const life of played(tries).lives)
        for (const { state, wanted } of all(life)) seen.add(`${state} ${wanted}`.trim())
    expect([...seen].sort()).toEqual(
      expect.arrayContaining([
        'approved',
        'approved enforced',
        'dry_run',
        'dry_run enforced',
        'enforced',
        'enforced withdrawn',
        'withdrawn',
      ]),
    )
  })
})

describe('a draft', () => {
  const id = { target: 'istio', callee: 'shop/a', digest: '1' }
  const facts = { at: OPEN, hasDryRun: true, expired: [] }
  const steps = (...list: [DraftId, Step][]) => {
    const { passed, lives } = played(list.map(([draft, step]) => [{ id: draft, step, facts }]))
    expect(passed).toHaveLength(list.length)
    return lives.at(-1) ?? lifeOf([])
  }
  const toReview: [DraftId, Step][] = [
    [id, { action: 'propose', owners: ['team-a'], predicted: predicted(2) }],
    [id, { action: 'submit' }],
  ]
  const approve: Step = { action: 'approve', as: 'team-a', acknowledged: 2, unowned: false }
  const toEnforced = (draft: DraftId): [DraftId, Step][] => [
    [draft, { action: 'propose', owners: ['team-a'], predicted: predicted(2) }],
    [draft, { action: 'submit' }],
    [draft, approve],
    [draft, { action: 'promote', to: 'dry_run' }],
    [draft, { action: 'confirm', stage: 'dry_run' }],
    [draft, { action: 'promote', to: 'enforced' }],
    [draft, { action: 'confirm', stage: 'enforced' }],
  ]

  it.each<[string, Step, string]>([
    ['by somebody else', { ...approve, as: 'team-b' }, 'its owner is team-a, not team-b'],
    [
      'without a look at what would be denied',
      { ...approve, acknowledged: 0 },
      '2 operations that were served would be denied',
    ],
    ['before its review is over', { action: 'promote', to: 'dry_run' }, 'it is in review'],
    ['because it was found deployed', { action: 'confirm', stage: 'enforced' }, 'it is not approved'],
  ])('is not approved %s', (_, step, why) => {
    expect(refusal(steps(...toReview), id, step, facts)).toContain(why)
  })

  it('without an owner is approved by whoever says that it has none', () => {
    const life = steps([id, { action: 'propose', owners: [], predicted: predicted(0) }], [id, { action: 'submit' }])
    const nobody: Step = { action: 'approve', as: 'ops', acknowledged: 0, unowned: false }
    expect(refusal(life, id, nobody, facts)).toContain('nobody is declared')
    expect(refusal(life, id, { ...nobody, unowned: true }, facts)).toBeNull()
  })

  it('is stale as soon as another one says something else, and is not when that is withdrawn', () => {
    const later = { ...id, digest: '2' }
    const changed: [DraftId, Step][] = [
      ...toReview,
      [id, approve],
      [later, { action: 'propose', owners: ['team-a'], predicted: predicted(0) }],
    ]
    expect(draftIn(steps(...changed), id)).toMatchObject({ state: 'approved', stale: true })
    expect(refusal(steps(...changed), id, { action: 'promote', to: 'dry_run' }, facts)).toContain('a later draft')
    const back = steps(...changed, [later, { action: 'withdraw' }])
    expect(refusal(back, id, { action: 'promote', to: 'dry_run' }, facts)).toBeNull()
  })

  it('has its dry run before it is enforced, where there is one', () => {
    const approved = steps(...toReview, [id, approve])
    expect(refusal(approved, id, { action: 'promote', to: 'enforced' }, facts)).toContain('dry run first')
    expect(refusal(approved, id, { action: 'promote', to: 'enforced' }, { ...facts, hasDryRun: false })).toBeNull()
    expect(refusal(approved, id, { action: 'promote', to: 'dry_run' }, { ...facts, at: CLOSED })).toContain(
      'no change window is open',
    )
    expect(refusal(approved, id, { action: 'promote', to: 'dry_run' }, { ...facts, expired: ['dr'] })).toContain('dr')
  })

  it('goes back to what was enforced before it', () => {
    const next = { ...id, digest: '2' }
    const enforced = steps(...toEnforced(id), ...toEnforced(next))
    expect(draftIn(enforced, id)).toMatchObject({ state: 'withdrawn' })
    const back = steps(...toEnforced(id), ...toEnforced(next), [next, { action: 'roll_back' }])
    expect(draftIn(back, id)).toMatchObject({ state: 'approved', wanted: 'enforced', stale: false })
    expect(draftIn(back, next)).toMatchObject({ state: 'enforced', wanted: 'withdrawn' })
    const done = steps(
      ...toEnforced(id),
      ...toEnforced(next),
      [next, { action: 'roll_back' }],
      [id, { action: 'confirm', stage: 'enforced' }],
    )
    expect([draftIn(done, id)?.state, draftIn(done, next)?.state]).toEqual(['enforced', 'withdrawn'])
  })
})

describe('change windows', () => {
  it.each([
    [['Mon-Thu 09:00-16:00'], '2026-11-30T09:00:00Z', true],
    [['Mon-Thu 09:00-16:00'], '2026-11-30T08:59:59Z', false],
    [['Mon-Thu 09:00-16:00'], '2026-11-30T16:00:00Z', false],
    [['Mon-Thu 09:00-16:00'], '2026-12-04T12:00:00Z', false],
    [['Fri-Mon 22:00-24:00'], '2026-11-29T23:59:00Z', true],
    [['Fri-Mon 22:00-24:00'], '2026-12-01T23:00:00Z', false],
    [['Tue 10:00-11:00', 'Sat,Sun 00:00-24:00'], '2026-11-29T00:00:00Z', true],
    [[], '2026-11-29T00:00:00Z', true],
  ])('%j at %s: %s', (windows, at, open) => expect(isOpen(windows, at)).toBe(open))

  it.each([
    '',
    'Mon',
    'Mon 9:00-10:00',
    'Mon 10:00-09:00',
    'Mon 10:00-10:00',
    'Mo 09:00-10:00',
    'Mon-Tue-Wed 09:00-10:00',
    'Mon 23:00-25:00',
    'Mon 09:60-10:00',
  ])('not %j', (text) => expect(() => readChangeWindow(text)).toThrow('is no change window'))
})
