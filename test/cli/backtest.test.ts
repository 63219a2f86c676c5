import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cinch, openCinch } from '../../services/api/cinch.ts'
import type { Backtest, BacktestDay } from '../../services/model/backtest.ts'
import { openStore } from '../../services/store/store.ts'
import { loadShop } from '../scenarios/load.ts'
import { runCli, scratch } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'

/** The scenario's month-end job runs on the 31st: the last day of one shop, and in the middle of the other. */
const SHOPS = [
  { name: 'the fourteenth day ends the month', end: '2026-11-01T00:00:00Z', cut: '2026-10-31T00:00:00Z' },
  { name: 'the month ended before', end: '2026-11-08T00:00:00Z', cut: '2026-11-07T00:00:00Z' },
]

describe.each(SHOPS)('the shop, when $name', { timeout: 120_000 }, ({ end, cut }) => {
  const room = scratch('backtest')
  const store = newStore(room.path('store'))
  const since = new Date(Date.parse(end) - 14 * 86_400_000).toISOString()
  let cinch: Cinch
  let told: Backtest
  let tomorrow: BacktestDay[]
  let close: () => Promise<void>

  beforeAll(async () => {
    const opened = await openStore({ kind: 'chdb', dir: store })
    cinch = await openCinch(opened)
    await loadShop(cinch, { requests: 20_000, days: 14, end: new Date(end) })
    told = await cinch.backtest({ target: 'istio', window: { since, until: cut }, days: 3 })
    // With what was learned before that day, and nothing of it: as the command does for the days before.
    tomorrow = (await cinch.backtest({ target: 'istio', window: { since, until: end }, days: 1 })).days
    close = () => opened.close()
  })
  afterAll(async () => {
    await close?.()
    room.close()
  })

  test('the next day is denied nothing at a callee that was called ready', () => {
    const denied = new Set(tomorrow.flatMap((day) => day.denied.map(({ destination }) => destination)))
    expect(denied.size).toBeGreaterThan(0)
    const verdicts = new Map(told.callees.map(({ callee, verdict }) => [callee, verdict]))
    expect([...denied].filter((callee) => !verdicts.has(callee))).toEqual([])
    expect([...denied].filter((callee) => verdicts.get(callee) === 'ready')).toEqual([])
    // No verdict is `ready` before the end of a month was seen; after it some are, so this can fail.
    const ready = told.callees.filter(({ verdict }) => verdict === 'ready').length
    expect(ready > 0).toBe(cut === '2026-11-07T00:00:00Z')
  })

  test('the end of the month is announced where it was not seen', () => {
    const saw = told.callees.filter(({ reasons }) => !reasons.includes('the end of a month was not observed'))
    expect(saw.length).toBe(cut === '2026-10-31T00:00:00Z' ? 0 : told.callees.length)
  })

  test('the month-end job is denied by name and announced where it was not seen, and not revoked where it was', async () => {
    const isJob = ({ path }: { path: string }) => path === '/shop.ledger.v1.Ledger/CloseMonth'
    const wasSeen = cut > '2026-11-01'
    const denied = tomorrow.flatMap((day) => day.denied).filter(isJob)
    expect(denied.length > 0).toBe(!wasSeen)
    for (const { destination } of denied)
      expect(told.callees.find(({ callee }) => callee === destination)?.reasons).toContain(
        'the end of a month was not observed',
      )
    const { files, report } = await cinch.generate({ target: 'istio', window: { since, until: cut } })
    expect(report.permissions.some(({ operation }) => isJob(operation))).toBe(wasSeen)
    const { revoke } = await cinch.diff(files, { since, until: cut })
    expect(revoke.filter(isJob)).toEqual([])
    if (!wasSeen) return
    // Held against the days after it alone, nobody used it: that is said together with why it is not to be revoked.
    const [unused, ...others] = (await cinch.diff(files, { since: '2026-11-01T00:00:00Z', until: cut })).revoke.filter(
      isJob,
    )
    expect(others).toEqual([])
    expect(unused?.guards).toContain('the end of a month was not observed')
  })

  test('the command says the same', async () => {
    await close()
    const args = ['policies', 'backtest', '--since', since, '--until', cut, '--days', '3']
    const ran = await runCli([...args, '--json'], { store })
    expect(ran.code).toBe(told.days.some(({ would_deny }) => would_deny > 0) ? 1 : 0)
    expect(ran.json<Backtest>()).toEqual(JSON.parse(JSON.stringify(told)))
    const text = await runCli(args, { store })
    for (const { day } of told.days) expect(text.stdout).toContain(day)
    expect(text.stdout).toMatch(/tomorrow at least \d+\.\d\d % of the requests are covered \(right in 75 of 100 cases/)
  })
})

test('days that are no number are refused', async () => {
  const room = scratch('backtest-days')
  for (const days of ['0', '63', 'all']) {
    const ran = await runCli(['policies', 'backtest', '--days', days], { store: room.path('store') })
    expect(ran.code).toBe(2)
    expect(ran.stderr).toContain('give 1 to 62')
  }
  room.close()
})
