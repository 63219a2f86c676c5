import { expect, test } from 'vitest'
import type { RequirementResult, Verdict } from '../../../services/model/check.ts'
import { countVerdicts, sections, summary } from './verdicts.ts'

const requirement = (id: string, document: string, verdict: Verdict): RequirementResult => ({
  id,
  document,
  verdict,
  asks: '',
  checks: [],
  sp800_53: [],
  cisa: '',
  why: '',
})
const all = [
  requirement('A-1', 'A', 'met'),
  requirement('A-2', 'A', 'not_met'),
  requirement('B-1', 'B', 'not_observable'),
  requirement('A-3', 'A', 'not_enough_data'),
]

test('requirements stand under their document, in the order of the answer; a document without any is left out', () => {
  const ids = (verdict?: Verdict) =>
    sections(all, verdict).map(({ document, requirements }) => [document, ...requirements.map(({ id }) => id)])
  expect(ids()).toEqual([
    ['A', 'A-1', 'A-2', 'A-3'],
    ['B', 'B-1'],
  ])
  expect(ids('not_observable')).toEqual([['B', 'B-1']])
})

test('the sentence of state counts what is not seen apart from what is met', () => {
  expect(countVerdicts(all)).toEqual({ met: 1, attested: 0, not_met: 1, not_enough_data: 1, not_observable: 1 })
  expect(summary(all)).toBe('1 of 4 requirements shown to be met; the contrary of 1 is seen; of 2 nothing is shown.')
  expect(summary([...all, requirement('B-2', 'B', 'attested')])).toBe(
    '1 of 5 requirements shown to be met; for 1 somebody answers; the contrary of 1 is seen; of 2 nothing is shown.',
  )
  expect(summary([])).toBe('0 of 0 requirements shown to be met; the contrary of none is seen; of 0 nothing is shown.')
})
