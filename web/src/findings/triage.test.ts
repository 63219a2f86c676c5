import { expect, test } from 'vitest'
import { FINDING_STATES, type Finding, type Severity } from '../../../services/model/finding.ts'
import { actsOf, neighbour, STATES, sections } from './triage.ts'

const finding = (id: string, severity: Severity, place = '') => ({ id, severity, check: 'check', place }) as Finding
const all = [finding('a', 'low'), finding('b', 'critical'), finding('d', 'low', 'web'), finding('c', 'low')]

test('the worst stand first, and a severity without findings is left out', () => {
  expect(sections(all).map(({ severity, findings }) => [severity, ...findings.map(({ id }) => id)])).toEqual([
    ['critical', 'b'],
    ['low', 'a', 'c', 'd'],
  ])
  expect(sections(all).map(({ groups }) => groups.map((group) => group.map(({ id }) => id)))).toEqual([
    [['b']],
    [['a', 'c'], ['d']],
  ])
})

test('the keyboard goes through the list as it is drawn, and stops at its ends', () => {
  const from = (id: string | undefined, step: number) => neighbour(all, id, step)?.id
  expect([from('b', 1), from('a', 1), from('d', 1), from('b', -1), from('gone', 1), from(undefined, 0)]).toEqual([
    ...['a', 'c', 'd', 'b', 'b', 'b'],
  ])
  expect(neighbour([], 'a', 1)).toBeUndefined()
})

test('every state has a name, and no key stands for two things that can be said in it', () => {
  expect(STATES.map(({ id }) => id)).toEqual([...FINDING_STATES])
  for (const state of FINDING_STATES) {
    const keys = actsOf({ state }).map(({ key }) => key)
    expect(new Set(keys).size).toBe(keys.length)
  }
  expect(actsOf({ state: 'resolved' })).toEqual([])
  expect(actsOf({ state: 'false' }).map(({ act }) => act)).toEqual(['reopen'])
})
