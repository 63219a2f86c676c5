import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openCinch } from '../../services/api/cinch.ts'
import { openInput } from '../../services/collector/input/input.ts'
import { run, type Store } from '../../services/store/store.ts'
import { type Bench, format, median } from './bench.ts'
import { createLines } from './lines.ts'

const DAY_MS = 86_400_000
const START = Date.UTC(2026, 10, 20)
const USERS = 20_000

/** Each line of another of 20,000 users, so that hardly two lines of an insert are alike: the dearest that there is. */
function usersLines(count: number, withUsers: boolean): string {
  const next = createLines(777)
  return Array.from({ length: count }, (_, at) => {
    const parsed = JSON.parse(next(START + Math.floor((at / count) * DAY_MS))) as Record<string, unknown>
    const user = (at * 7_919) % USERS
    const jwt = {
      iss: 'https://id.example',
      sub: `user-${user}`,
      groups: ['staff', `team-${user % 50}`],
      acr: 'pwd',
      auth_time: START / 1_000,
    }
    return JSON.stringify({
      ...parsed,
      x_forwarded_for: `203.0.${user % 250}.${at % 250}`,
      ...(withUsers ? { jwt } : {}),
    })
  }).join('\n')
}

/** Processor time that the day's activity of users adds to a line, in microseconds: with its view and without, in turns. */
export async function activityCost(
  { dir, turns, withStore }: Bench,
  count: number,
  withUsers: boolean,
): Promise<number> {
  const file = join(dir, `users-${withUsers}.log`)
  writeFileSync(file, usersLines(count, withUsers))
  const load = async (store: Store, hasView: boolean) => {
    const cinch = await openCinch(store)
    if (!hasView) await run(store.jobs, 'DROP VIEW user_activity_of_parsed')
    const before = process.cpuUsage()
    await cinch.ingest('istio-json', '', await openInput(file))
    const { user, system } = process.cpuUsage(before)
    return (user + system) / count
  }
  const costs: Record<'with' | 'without', number[]> = { with: [], without: [] }
  for (let turn = 0; turn < turns + 1; turn += 1)
    for (const which of ['with', 'without'] as const) {
      const cost = await withStore((store) => load(store, which === 'with'))
      // The first turn warms up.
      if (turn > 0) costs[which].push(cost)
      console.log(`activity ${which} view, ${withUsers ? 'users' : 'no users'}: ${format(cost)} us a line`)
    }
  return median(costs.with) - median(costs.without)
}
