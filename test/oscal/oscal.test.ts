import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assess } from '../../services/analyzer/checks/assess.ts'
import { tallyOf } from '../../services/analyzer/checks/check.ts'
import { CHECKS } from '../../services/analyzer/checks/index.ts'
import { REQUIREMENTS } from '../../services/analyzer/checks/requirements.ts'
import { oscalOf } from '../../services/cli/oscal.ts'
import { createOscalValidator } from './schema.ts'

const faultsOf = createOscalValidator()
const window = { since: '2026-11-22T00:00:00Z', until: '2026-11-23T00:00:00Z' }
const at = '2026-11-24T00:00:00.000Z'

interface Results {
  'assessment-results': {
    results: {
      observations: { title: string; methods: string[]; expires?: string }[]
      findings: { target: { 'target-id': string; status: { state: string; reason: string } } }[]
    }[]
  }
}

/** What was told at one subject of every check, and who answers for the first thing that cannot be shown. */
function assessed(text: string, met: number, unmet: number, until = '2027-01-01T00:00:00.000Z') {
  const tally = tallyOf([
    { subject: text, note: text, times: met, shows: 'met' },
    { subject: text, times: unmet, shows: 'unmet' },
  ])
  const counted = { window, requirements: REQUIREMENTS, countings: CHECKS.map((check) => ({ check, tally })) }
  const said = { owner: text, who: text, why: text, at }
  const tuning = {
    check: CHECKS[0]?.id ?? '',
    subject: 'other',
    tolerated: 0.5,
    who: text,
    why: text,
    at,
    finding: 'f',
  }
  const attestations = [{ ...said, requirement: 'SM-DR3', until }]
  return assess(counted, { tunings: [tuning], attestations, at })
}

test('documents keep to NIST’s schema, whatever telemetry and people say', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'binary' }), fc.nat(300), fc.nat(3), (text, met, unmet) => {
      expect(faultsOf(oscalOf(assessed(text, met, unmet), new Date(at)))).toEqual([])
    }),
    { numRuns: 30 },
  )
})

test('the schema finds what is wrong', () => {
  const document = oscalOf(assessed('a', 1, 1), new Date(at)) as Results
  for (const finding of document['assessment-results'].results[0]?.findings ?? []) finding.target.status.state = 'fine'
  expect(faultsOf(document).length).toBeGreaterThan(10)
  expect(faultsOf({})).not.toEqual([])
})

test('only what is met is satisfied; what somebody answers for is told apart, with its end', () => {
  const found = (until?: string) => {
    const document = oscalOf(assessed('a', 300, 0, until), new Date(at)) as Results
    const [result] = document['assessment-results'].results
    const status = (id: string) => result?.findings.find(({ target }) => target['target-id'] === id)?.target.status
    return { result, status }
  }
  const { result, status } = found()
  expect(status('ID-SEG-REC-1')).toEqual({ state: 'satisfied', reason: 'pass' })
  for (const id of ['SM-DR3', 'SM-DR4', 'MON-CNA-REQ-1'])
    expect(status(id), id).toEqual({ state: 'not-satisfied', reason: 'other' })
  expect(result?.observations.filter(({ methods }) => methods[0] === 'INTERVIEW')).toMatchObject([
    { title: 'Attestation of SM-DR3', expires: '2027-01-01T00:00:00.000Z' },
  ])
  expect(result?.findings).toHaveLength(REQUIREMENTS.length)
})
