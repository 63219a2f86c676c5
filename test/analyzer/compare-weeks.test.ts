import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cinch, openCinch } from '../../services/api/cinch.ts'
import { operator } from '../../services/collector/origin.ts'
import { openStore, type Store } from '../../services/store/store.ts'
import { random as seeded } from '../scenarios/random.ts'
import { scratch } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'

/** Windows that begin and end in the midst of weeks, over the end of a month: what is expected is counted here, from the draws. */
const room = scratch('compare-weeks')
const START = Date.parse('2026-10-19T00:00:00Z')
const HOURS = 5 * 168
const HOUR_MS = 3_600_000
const ROUNDS = 60
let store: Store
let cinch: Cinch

const random = seeded(11, 'weeks')
const int = (below: number) => Math.floor(random() * below)

/** Many operations of a few calls each, so that most windows have what others have not; some are called in bursts. */
const made = Array.from({ length: 900 }, () => {
  const path = int(120)
  const hour = path % 3 === 0 ? (path * 37 + int(30)) % HOURS : int(HOURS)
  return { caller: path % 4, callee: 4 + (path % 3), path, port: 80 + int(2), method: path % 2 ? 'GET' : 'PUT', hour }
})

const principal = (service: number) => `cluster.local/ns/shop/sa/s${service}`

beforeAll(async () => {
  store = await openStore({ kind: 'chdb', dir: newStore(room.path('store')) })
  cinch = await openCinch(store)
  const lines = made.map(({ caller, callee, path, port, method, hour }, index) =>
    JSON.stringify({
      start_time: new Date(START + hour * HOUR_MS + ((index * 7919) % 3600) * 1000).toISOString(),
      method,
      path: `/p${path}`,
      protocol: 'HTTP/1.1',
      response_code: index % 50 === 0 ? 403 : 200,
      response_code_details: index % 50 === 0 ? 'rbac_access_denied_matched_policy[none]' : 'via_upstream',
      upstream_cluster: `inbound|${port}||`,
      authority: `s${callee}.shop`,
      source_principal: `spiffe://${principal(caller)}`,
      destination_principal: `spiffe://${principal(callee)}`,
    }),
  )
  // In several batches, so that a week's row is made of many.
  for (let from = 0; from < lines.length; from += 300)
    await cinch.ingestRequest('istio-json', operator(), Buffer.from(lines.slice(from, from + 300).join('\n')))
}, 120_000)
afterAll(async () => {
  await cinch.close()
  await store.close()
  room.close()
})

const at = (hour: number) => new Date(START + hour * HOUR_MS).toISOString().replace('.000Z', 'Z')

test('operations of random windows are new and gone, and used as often, as the draws say', async () => {
  let [found, both] = [0, 0]
  for (let round = 0; round < ROUNDS; round++) {
    const draw = () => {
      const since = int(HOURS - 1)
      return { since, until: since + 1 + int(HOURS - since - 1) }
    }
    const [now, before] = [draw(), draw()]
    const count = (window: typeof now) =>
      Map.groupBy(
        made.filter(({ hour }) => hour >= window.since && hour < window.until),
        ({ caller, callee, method, path }) => `s${caller} s${callee} ${method} /p${path}`,
      )
    const [calls, callsBefore] = [count(now), count(before)]
    const told = [...new Set([...calls.keys(), ...callsBefore.keys()])].flatMap((key) => {
      const [requests, requestsBefore] = [calls.get(key)?.length ?? 0, callsBefore.get(key)?.length ?? 0]
      if (requests > 0 && requestsBefore > 0) both++
      return requests > 0 && requestsBefore > 0 ? [] : [`${key} ${requests} ${requestsBefore}`]
    })
    const window = ({ since, until }: typeof now) => ({ since: at(since), until: at(until) })
    const { operations, totals } = await cinch.compare(window(now), window(before), 'namespace')
    const name = (id: string) => id.replace(/^.*\//, '')
    const seen = operations.map(
      ({ source, destination, method, path, requests, requests_before }) =>
        `${name(source)} ${name(destination)} ${method} ${path} ${requests} ${requests_before}`,
    )
    expect(seen.sort(), JSON.stringify({ now, before })).toEqual(told.sort())
    expect(totals.operations.new + totals.operations.gone).toBe(told.length)
    found += told.length
  }
  expect(found).toBeGreaterThan(ROUNDS * 5)
  expect(both).toBeGreaterThan(ROUNDS * 5)
}, 120_000)
