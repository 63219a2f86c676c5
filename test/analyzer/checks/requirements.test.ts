import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CHECKS } from '../../../services/analyzer/checks/index.ts'
import { REQUIREMENTS } from '../../../services/analyzer/checks/requirements.ts'
import { resultOf, SEEN_MIN, UNTOLD_SHARE_MAX, verdictOf } from '../../../services/analyzer/checks/verdict.ts'
import type { CheckResult, Requirement } from '../../../services/model/check.ts'
import { required, SHARED_DATA } from '../../requirements.ts'

const LIST = join(SHARED_DATA, '../requirements.md')
const hasList = existsSync(LIST)

/** Ids of a text; `A-1..4` are four. */
function idsIn(text: string): string[] {
  const found = [...text.matchAll(/\b([A-Z]+(?:-[A-Z]+)*-(?:[A-Z]+)?)(\d+)(?:\.\.(\d+))?/g)].flatMap(
    ([, name = '', first = '', last = first]) =>
      Array.from({ length: Number(last) - Number(first) + 1 }, (_, at) => `${name}${Number(first) + at}`),
  )
  return [...new Set(found)].sort()
}

test.skipIf(!hasList && !required('CINCH_REQUIRE_DATA'))('every id of the list has a check or a stated reason', () => {
  const listed = readFileSync(LIST, 'utf8')
  const ids = idsIn(listed)
  expect(ids.length).toBeGreaterThanOrEqual(66)
  const known = new Map(REQUIREMENTS.map((requirement) => [requirement.id, requirement]))
  expect(ids.filter((id) => !known.has(id))).toEqual([])

  const [paragraph = ''] = /\n(?=SM-DR3)[\s\S]*?not observable/.exec(listed) ?? []
  const unseen = idsIn(paragraph)
  expect(unseen.length).toBeGreaterThan(14)
  const isUnseen = ({ not_observable }: Requirement) => not_observable !== undefined
  expect(ids.filter((id) => isUnseen(known.get(id) as Requirement))).toEqual(unseen)
})

describe('requirements and checks as data', () => {
  test('each requirement has a check or a reason, and no reason is empty', () => {
    const ids = REQUIREMENTS.map(({ id }) => id)
    expect(ids).toEqual([...new Set(ids)])
    const checks = new Set(CHECKS.map(({ id }) => id))
    for (const { id, asks, checks: own, lacks, not_observable, sp800_53, cisa } of REQUIREMENTS) {
      expect(asks.length, id).toBeGreaterThan(5)
      expect(
        own.filter((check) => !checks.has(check)),
        id,
      ).toEqual([])
      if (not_observable === undefined) expect(own.length > 0 || (lacks ?? '').length > 10, id).toBe(true)
      else expect({ id, own, lacks, isSaid: not_observable.length > 20 }).toEqual({ id, own: [], isSaid: true })
      for (const control of sp800_53) expect(control, id).toMatch(/^[A-Z]{2}-\d{1,2}$/)
      expect(sp800_53.length, id).toBeGreaterThan(0)
      expect(cisa, id).toMatch(
        /^((Identity|Devices|Networks|Applications and Workloads|Data): |Visibility and Analytics$|Governance$|Automation and Orchestration$)/,
      )
    }
  })

  test('a check is a file and a line in the list, says what it does not see, and serves a requirement', () => {
    const own = ['assess', 'check', 'index', 'requirements', 'scope', 'tune', 'verdict']
    const files = readdirSync(new URL('../../../services/analyzer/checks', import.meta.url))
      .filter((name) => name.endsWith('.ts'))
      .map((name) => name.slice(0, -3))
      .filter((name) => !own.includes(name))
    expect(files).toEqual(CHECKS.map(({ id }) => id).sort())
    const serving = new Set(REQUIREMENTS.flatMap(({ checks }) => checks))
    for (const { id, blind, fix } of CHECKS) {
      expect(blind.length, id).toBeGreaterThan(20)
      expect(fix.length, id).toBeGreaterThan(10)
      expect(serving.has(id), id).toBe(true)
    }
  })

  test('code names no requirement', () => {
    const ids = REQUIREMENTS.map(({ id }) => id)
    for (const { id } of CHECKS) {
      const text = readFileSync(new URL(`../../../services/analyzer/checks/${id}.ts`, import.meta.url), 'utf8')
      expect(
        ids.filter((requirement) => text.includes(requirement)),
        id,
      ).toEqual([])
    }
  })
})

describe('verdicts', () => {
  const count = fc.oneof(fc.nat(300), fc.nat(1_000_000))
  test('a yes takes enough that show it, none that shows the contrary, and hardly any that are not told', () => {
    fc.assert(
      fc.property(count, count, count, (met, unmet, untold) => {
        const verdict = verdictOf({ met, unmet, untold })
        if (unmet > 0) expect(verdict).toBe('not_met')
        else {
          const isYes = met >= SEEN_MIN && untold / (met + untold) <= UNTOLD_SHARE_MAX
          expect(verdict).toBe(isYes ? 'met' : 'not_enough_data')
        }
        expect(verdictOf({ met: 0, unmet: 0, untold }, { unmetShareMax: 0.5 })).toBe('not_enough_data')
      }),
    )
  })

  const requirement = (more: Partial<Requirement>): Requirement => ({
    ...{ id: 'A', document: 'd', asks: 'a', checks: ['one', 'two'], sp800_53: [], cisa: '' },
    ...more,
  })
  const results = (...verdicts: CheckResult['verdict'][]) =>
    verdicts.map((verdict, at) => ({ id: ['one', 'two'][at], verdict, why: `${verdict} ${at}` }) as CheckResult)

  test.each([
    [results('met', 'met'), {}, 'met'],
    [results('met', 'not_met'), {}, 'not_met'],
    [results('not_enough_data', 'not_met'), { lacks: 'x' }, 'not_met'],
    [results('met', 'not_enough_data'), {}, 'not_enough_data'],
    [results('met', 'met'), { lacks: 'x' }, 'not_enough_data'],
    [results('met', 'met'), { checks: [] }, 'not_enough_data'],
    [[], {}, 'not_enough_data'],
    [results('met', 'met'), { not_observable: 'x', checks: [] }, 'not_observable'],
  ] as const)('a requirement is as good as the worst of its checks: %#', (own, more, verdict) =>
    expect(
      resultOf(requirement({ ...more, checks: [...('checks' in more ? more.checks : ['one', 'two'])] }), own).verdict,
    ).toBe(verdict),
  )
})
