import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { tune } from '../../../services/analyzer/checks/tune.ts'
import { actOn } from '../../../services/analyzer/findings/act.ts'
import { ACTIVE_MAX, asOf, findingId, keep, MORE } from '../../../services/analyzer/findings/keep.ts'
import type { SubjectTally, Tally, Tuning } from '../../../services/model/check.ts'
import type { Finding, FindingAct, Observation, Report } from '../../../services/model/finding.ts'

const DAY_MS = 86_400_000
const day = (n: number) => new Date(Date.parse('2026-03-01T00:00:00Z') + n * DAY_MS).toISOString()

const observation = (subject: string, at: string, share = 1): Observation => ({
  ...{ check: 'c', subject, place: 'p', severity: 'high', title: subject, first_seen: at, last_seen: at, share },
  evidence: {
    ...{ queries: ['calls'], parameters: { since: at, until: at }, counts: { met: 0, unmet: 1, untold: 0 } },
    ...{ samples: [], left_out: 0 },
  },
  ...{ blind: 'b', fix: 'f' },
})

const report = (at: string, subjects: readonly string[], could = true, share = 1): Report => ({
  check: 'c',
  window: { since: at, until: at },
  observations: subjects.map((subject) => observation(subject, at, share)),
  couldSee: () => could,
})

/** Findings as the store has them, and what they become. */
function createBook() {
  const book = new Map<string, Finding>()
  return {
    look: (at: string, subjects: readonly string[], could = true, share = 1) => {
      const { records, words } = keep([...book.values()], report(at, subjects, could, share), at)
      for (const finding of records) book.set(finding.id, finding)
      return words.map(({ subject, state }) => `${subject} ${state}`)
    },
    act: (subject: string, act: FindingAct, at: string) => {
      const id = findingId({ check: 'c', subject })
      const before = book.get(id) as Finding
      book.set(id, { ...before, ...actOn(before, act, { who: 'kim', why: 'because' }, at) })
    },
    of: (subject: string, at: string) => {
      const found = book.get(findingId({ check: 'c', subject }))
      return found ? asOf(found, at) : undefined
    },
    all: () => [...book.values()],
  }
}

describe('the life of a finding', () => {
  test('opens once, is seen on, resolves where it would be seen, and comes back', () => {
    const book = createBook()
    expect(book.look(day(0), ['a'])).toEqual(['a open'])
    expect(book.look(day(1), ['a'])).toEqual([])
    expect(book.of('a', day(1))).toMatchObject({ first_seen: day(0), last_seen: day(1), state: 'open', who: '' })
    expect(book.look(day(2), [], false)).toEqual([])
    expect(book.look(day(3), [])).toEqual(['a resolved'])
    expect(book.of('a', day(3))?.why).toBe(`not seen from ${day(3)} to ${day(3)}, where it would have been`)
    expect(book.look(day(4), [])).toEqual([])
    expect(book.look(day(5), ['a'])).toEqual(['a open'])
    expect(book.of('a', day(5))).toMatchObject({ first_seen: day(0), last_seen: day(5), why: 'it came back' })
  })

  test('acknowledged stays so until it is gone', () => {
    const book = createBook()
    book.look(day(0), ['a'])
    book.act('a', { act: 'acknowledge' }, day(0))
    expect(book.look(day(1), ['a'])).toEqual([])
    expect(book.of('a', day(1))).toMatchObject({ state: 'acknowledged', who: 'kim', why: 'because' })
    expect(book.look(day(2), [])).toEqual(['a resolved'])
  })

  test('accepted stands to its end, seen or not; then it is open, also before anybody looks', () => {
    const book = createBook()
    book.look(day(0), ['a'])
    book.act('a', { act: 'accept', owner: 'team', until: day(3) }, day(0))
    expect(book.look(day(1), [])).toEqual([])
    expect(book.look(day(2), ['a'])).toEqual([])
    expect(book.of('a', day(2))).toMatchObject({ state: 'accepted', owner: 'team', until: day(3) })
    expect(book.of('a', day(3))).toMatchObject({ state: 'open', who: '', owner: '' })
    expect(book.look(day(3), ['a'])).toEqual(['a open'])
    expect(book.look(day(4), [])).toEqual(['a resolved'])
  })

  test('one whose acceptance is over resolves when it is not seen', () => {
    const book = createBook()
    book.look(day(0), ['a'])
    book.act('a', { act: 'accept', owner: 'team', until: day(3) }, day(0))
    expect(book.look(day(4), [])).toEqual(['a resolved'])
  })

  test('false stands while no more shows it than did, and is taken back', () => {
    const book = createBook()
    book.look(day(0), ['a'], true, 0.1)
    book.act('a', { act: 'false' }, day(0))
    expect(book.look(day(1), ['a'], true, 0.1)).toEqual([])
    expect(book.look(day(2), [])).toEqual([])
    expect(book.look(day(3), ['a'], true, 0.2)).toEqual(['a open'])
    expect(book.of('a', day(3))?.why).toMatch(/^20 % .* 10 %/)
    book.act('a', { act: 'false' }, day(3))
    book.act('a', { act: 'reopen' }, day(3))
    expect(book.of('a', day(3))).toMatchObject({ state: 'open', who: 'kim', tolerated: 0 })
  })

  test.each<[FindingAct, string]>([
    [{ act: 'reopen' }, 'step_refused'],
    [{ act: 'accept', owner: 'o', until: day(0) }, 'bad_option'],
    [{ act: 'accept', owner: 'o', until: day(400) }, 'bad_option'],
    [{ act: 'accept', owner: 'o', until: 'tomorrow' }, 'bad_option'],
  ])('of an open one %o is refused', (act, code) => {
    const book = createBook()
    book.look(day(0), ['a'])
    expect(() => book.act('a', act, day(0))).toThrow(expect.objectContaining({ code }))
  })

  test('of a resolved one nothing is said', () => {
    const book = createBook()
    book.look(day(0), ['a'])
    book.look(day(1), [])
    for (const act of ['acknowledge', 'false', 'reopen'] as const)
      expect(() => book.act('a', { act }, day(1))).toThrow(expect.objectContaining({ code: 'step_refused' }))
  })

  test('whoever makes up subjects fills no store: what is beyond is one finding, and nobody known gives way', () => {
    const book = createBook()
    book.look(day(0), ['real'])
    const many = Array.from({ length: 3 * ACTIVE_MAX }, (_, at) => `made-up ${at}`)
    book.look(day(1), [...many, 'real'])
    expect(book.of('real', day(1))?.last_seen).toBe(day(1))
    expect(book.all()).toHaveLength(ACTIVE_MAX + 1)
    expect(book.of(MORE, day(1))?.title).toMatch(/^2,001 more/)
    book.look(day(2), ['other'], false)
    expect(book.all()).toHaveLength(ACTIVE_MAX + 1)
  })

  test('whatever comes, nothing that is seen is resolved, and nothing that could not be seen is', () => {
    const step = fc.record({
      seen: fc.subarray(['a', 'b', 'c']),
      could: fc.boolean(),
      act: fc.option(fc.constantFrom<FindingAct>({ act: 'acknowledge' }, { act: 'false' }, { act: 'reopen' })),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const book = createBook()
        for (const [at, { seen, could, act }] of steps.entries()) {
          const before = new Map(book.all().map((one) => [one.subject, one.state]))
          book.look(day(at), seen, could)
          for (const { subject, state } of book.all()) {
            if (seen.includes(subject)) expect(state).not.toBe('resolved')
            else if (!could) expect(state).toBe(before.get(subject))
            else expect(['resolved', 'false']).toContain(state)
          }
          if (act && book.of('a', day(at))?.state === 'open' && act.act !== 'reopen') book.act('a', act, day(at))
        }
      }),
    )
  })
})

describe('what people call false', () => {
  const subject = (name: string, met: number, unmet: number): SubjectTally => ({
    ...{ subject: name, place: name, note: '', met, unmet, untold: 0, aside: 0, first_seen: '', last_seen: '' },
  })
  const tally = (...subjects: SubjectTally[]): Tally => ({
    met: subjects.reduce((sum, { met }) => sum + met, 0),
    unmet: subjects.reduce((sum, { unmet }) => sum + unmet, 0),
    untold: 0,
    subjects,
  })
  const tuning = (name: string, tolerated: number): Tuning => ({
    ...{ check: 'c', subject: name, tolerated, who: 'kim', why: 'w', at: day(0), finding: '' },
  })

  test('is left out up to the share that was seen, and shows neither way', () => {
    const { tally: tuned, tuned: told } = tune(tally(subject('a', 90, 10), subject('b', 5, 0)), [tuning('a', 0.1)])
    expect({ ...tuned, subjects: [] }).toEqual({ met: 95, unmet: 0, untold: 0, subjects: [] })
    expect(told).toMatchObject([{ subject: 'a', left_out: 10, tolerated: 0.1 }])
    expect(told[0]).not.toHaveProperty('check')
  })

  test('beyond it all of it counts again', () => {
    const { tally: tuned, tuned: told } = tune(tally(subject('a', 80, 20)), [tuning('a', 0.1)])
    expect(tuned.unmet).toBe(20)
    expect(told).toMatchObject([{ left_out: 0 }])
  })

  test('a chain that breaks in two places still breaks where it was not called false', () => {
    const both = { ...tally(subject('a', 0, 10), subject('b', 0, 10)), unmet: 10 }
    expect(tune(both, [tuning('a', 1)]).tally.unmet).toBe(10)
    expect(tune(both, [tuning('a', 1), tuning('b', 1)]).tally.unmet).toBe(0)
  })
})
