import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { resultOfCheck } from '../../../services/analyzer/checks/assess.ts'
import type { Check } from '../../../services/analyzer/checks/check.ts'
import { CHECKS } from '../../../services/analyzer/checks/index.ts'
import { REQUIREMENTS } from '../../../services/analyzer/checks/requirements.ts'
import type { Assessment } from '../../../services/model/check.ts'
import { openApi, type TestApi } from '../../api/support.ts'
import type { Scenario } from './loads.ts'
import { insertRequests } from './rows.ts'
import { SCENARIOS } from './scenarios.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi('checks')
}, 60_000)
afterAll(() => api.close())

const ask = async (query: Record<string, string> = {}) => {
  const answer = await api.ask(`/api/v1/checks?${new URLSearchParams(query)}`)
  expect(answer.statusCode, answer.body).toBe(200)
  return answer.json<Assessment>()
}

test('nothing came: nothing is met', async () => {
  const { requirements, checks } = await ask()
  expect(requirements.map(({ id }) => id)).toEqual(REQUIREMENTS.map(({ id }) => id))
  expect(checks).toHaveLength(CHECKS.length)
  expect(new Set(checks.map(({ verdict }) => verdict))).toEqual(new Set(['not_enough_data']))
  expect(new Set(requirements.map(({ verdict }) => verdict))).toEqual(new Set(['not_enough_data', 'not_observable']))
  for (const { id, why } of requirements) expect(why.length, id).toBeGreaterThan(10)
})

test('each check has a scenario that meets it, one that does not, and one with too little', () => {
  for (const { id } of CHECKS) {
    const verdicts = new Set(SCENARIOS.filter(({ check }) => check === id).map(({ verdict }) => verdict))
    expect({ id, verdicts }).toEqual({ id, verdicts: new Set(['met', 'not_met', 'not_enough_data']) })
  }
})

const DAY_MS = 86_400_000
const FIRST = Date.parse('2026-03-01T10:00:00Z')

describe('scenarios', () => {
  test.each(SCENARIOS.map((scenario, at) => ({ ...scenario, at })))('$check: $what', async (scenario) => {
    const result = await played(scenario, scenario.at)
    const { met, unmet, untold } = result?.evidence.counts ?? {}
    expect({ verdict: result?.verdict, counts: [met, unmet, untold], why: result?.why }).toEqual({
      verdict: scenario.verdict,
      counts: scenario.counts,
      why: expect.stringMatching(/\d/),
    })
    if (scenario.sample) expect(result?.evidence.samples[0]).toContain(scenario.sample)
  })
})

/** Plays a scenario on a day and in a namespace of its own. */
async function played({ check, rows = [], load }: Scenario, at: number) {
  const place = { namespace: `s${at}`, start: new Date(FIRST + at * DAY_MS).toISOString() }
  const own = rows.map((row) => ({
    ...row,
    ...(row.service ? { service: row.service.replace('{ns}', place.namespace) } : {}),
  }))
  if (own.length > 0) await insertRequests(api, place.namespace, place.start, own)
  await load?.(api, place)
  await api.cinch.analyze()
  const until = new Date(FIRST + at * DAY_MS + 2 * 3_600_000).toISOString()
  const requirement = REQUIREMENTS.find(({ checks }) => checks.includes(check))?.id ?? ''
  const { checks, window } = await ask({ since: place.start, until, requirement })
  const result = checks.find(({ id }) => id === check)
  expect(result?.evidence.parameters).toEqual(window)
  return result
}

test('of many places some are listed, and the others counted', () => {
  const [check] = CHECKS.filter(({ id }) => id === 'kept-users')
  const users_along = Array.from({ length: 25 }, (_, at) => ({ caller: `a${at}`, callee: 'b', met: 9, unmet: at + 1 }))
  const facts = { users_along, chains: { not_looked_at: 0 } } as unknown as Parameters<Check['tally']>[0]
  const result = resultOfCheck(check!, check!.tally(facts), { since: '', until: '' })
  expect(result.evidence.samples).toEqual(Array.from({ length: 10 }, (_, at) => `a${24 - at} -> b`))
  expect(result.evidence.left_out).toBe(15)
})

test('a requirement that there is not', async () => {
  const answer = await api.ask('/api/v1/checks?requirement=MON-CNA-REQ-99')
  expect(answer.json()).toMatchObject({ error: { code: 'not_found' } })
})
