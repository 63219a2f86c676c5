import { afterEach, describe, expect, test } from 'vitest'
import { joinCallers } from '../../services/analyzer/identity/join.ts'
import { openTestStore, type TestStore } from '../collector/support.ts'
import { seeded } from '../policy-gen/support.ts'
import { openedBy, taken } from './join-lines.ts'
import { type Line, type TrueCall, traffic } from './join-traffic.ts'

const opened: TestStore[] = []
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})

/** Loads batches one after another, and joins after every fifth, as a service does that runs meanwhile. */
async function joined(name: string, batches: Line[][]): Promise<TestStore> {
  const store = await openTestStore(name)
  opened.push(store)
  for (const [index, batch] of batches.entries()) {
    const body = batch.map(({ text }) => text).join('\n')
    const result = await store.request('istio-json', body, {})
    expect(result.rejected).toBe(0)
    if (index % 4 === 3) await joinCallers(store.store)
  }
  await joinCallers(store.store)
  return store
}

interface FoundCall {
  minute: number
  callee: string
  method: string
  path: string
  caller: string
  rung: string
  evidence: string
  requests: number
}

const FOUND = `
  SELECT toUnixTimestamp(minute) / 60 AS minute, concat(e.destination_namespace, '/', e.destination_workload) AS callee, method, shape AS path,
    if(source_workload = '', '', concat(j.source_namespace, '/', j.source_workload)) AS caller, rung, toString(j.source_evidence) AS evidence, sum(j.requests + j.denied) AS requests
  FROM joined_call AS j FINAL ANY LEFT JOIN edge AS e ON e.edge = j.edge WHERE gateway_workload = '' AND e.reporter = 'destination'
  GROUP BY ALL HAVING requests > 0 ORDER BY ALL`

/** Counts by `key`, of every call or of every one that was found. */
function counted<T>(
  of: readonly T[],
  key: (entry: T) => string,
  count: (entry: T) => number = () => 1,
): Map<string, number> {
  const counts = new Map<string, number>()
  for (const entry of of) counts.set(key(entry), (counts.get(key(entry)) ?? 0) + count(entry))
  return counts
}

/** Held against the truth by minute, callee, operation and caller. `wrong`: more calls of a caller than it made. */
function compare(lines: readonly Line[], found: readonly FoundCall[]) {
  const calls = lines.flatMap(({ call }) => (call ? [call] : []))
  const keyOf = ({ minute, callee, method, path, caller }: TrueCall | FoundCall) =>
    `${minute} ${callee} ${method} ${path} ${caller}`
  const truth = counted(calls, keyOf)
  const named = found.filter(({ caller }) => caller !== '')
  const told = counted(named, keyOf, ({ requests }) => requests)
  const wrong = [...told]
    .map(([key, requests]) => [key, requests - (truth.get(key) ?? 0)] as const)
    .filter(([, more]) => more > 0)
  const provable = counted(
    calls.filter(({ hidden }) => hidden === ''),
    keyOf,
  )
  const provableTold = [...provable].reduce((sum, [key, requests]) => sum + Math.min(requests, told.get(key) ?? 0), 0)
  const rungs = Object.fromEntries(
    counted(
      found,
      ({ rung, evidence }) => `${rung} (${evidence})`,
      ({ requests }) => requests,
    ),
  )
  const sum = (counts: Map<string, number>) => [...counts.values()].reduce((total, count) => total + count, 0)
  return {
    calls: calls.length,
    found: sum(
      counted(
        found,
        () => '',
        ({ requests }) => requests,
      ),
    ),
    provable: sum(provable),
    provableTold,
    wrong,
    rungs,
  }
}

/** In batches of up to `size` lines. */
const inBatches = (lines: readonly Line[], size: number): Line[][] =>
  Array.from({ length: Math.ceil(lines.length / size) }, (_, at) => lines.slice(at * size, (at + 1) * size))

/** Lines deleted, delayed by up to twenty minutes, put out of order and sent twice. */
function damaged(lines: readonly Line[], random: () => number) {
  const kept = lines.filter(() => random() >= 0.02)
  const arriving = kept.map((line) => ({
    line,
    atMs: line.atMs + (random() < 0.03 ? random() * 1_200_000 : random() * 5_000),
  }))
  const repeated = arriving
    .filter(() => random() < 0.03)
    .map(({ line, atMs }) => ({ line, atMs: atMs + random() * 60_000 }))
  const all = [...arriving, ...repeated].sort((a, b) => a.atMs - b.atMs).map(({ line }) => line)
  return { kept, all }
}

describe.each([1, 2])("callers of Istio's default format, seed %i", (seed) => {
  const lines = traffic(seeded(seed), 1_500)

  test('whole logs: at least 99 % of what can be told, nothing wrong', async () => {
    const store = await joined('join', [lines as Line[]])
    const result = compare(lines, await store.rows<FoundCall>(FOUND))
    expect(result.wrong).toEqual([])
    expect(result.provableTold / result.provable).toBeGreaterThanOrEqual(0.99)
    expect(result.found).toBe(result.calls)
  }, 300_000)

  test('minutes that are too busy to be joined at once come to the same calls, and back again', async () => {
    const store = await joined('join-parts', [lines.slice(0, 4_000)])
    const found = await store.rows<FoundCall>(FOUND)
    for (const [halvesMax, parts] of [
      [2_000, 2],
      [undefined, 1],
    ] as const) {
      const touch =
        'INSERT INTO call_half_minute (minute, touched, loaded) SELECT DISTINCT minute, 1, today() FROM joined_call'
      await store.store.jobs.command({ query: touch })
      await joinCallers(store.store, Date.now(), undefined, halvesMax)
      const [row] = await store.rows<{ n: number }>(
        'SELECT uniqExact(part) AS n FROM joined_call FINAL WHERE requests + denied > 0',
      )
      if (parts === 1) expect(row?.n).toBe(1)
      else expect(row?.n).toBeGreaterThanOrEqual(parts)
      expect(await store.rows<FoundCall>(FOUND)).toEqual(found)
    }
  }, 300_000)

  test('deleted, delayed, reordered and repeated lines: nothing wrong, what is missing is told', async () => {
    const { kept, all } = damaged(lines, seeded(seed + 100))
    const store = await joined('join-damaged', inBatches(all, 1_500))
    const found = await store.rows<FoundCall>(FOUND)
    const result = compare(kept, found)
    expect(result.wrong).toEqual([])
    expect(result.provableTold / result.provable).toBeGreaterThanOrEqual(0.99)
    // Every line of a callee that arrived is a call, with its caller or with the reason why it has none.
    expect(result.found).toBe(result.calls)
    // The engine has one store in a process.
    await opened.pop()?.close()
    const atOnce = await joined('join-once', [kept])
    expect(found).toEqual(await atOnce.rows<FoundCall>(FOUND))
  }, 300_000)
})

describe('single lines', () => {
  const id = '12f7b436-bae1-498a-a8f2-e5cc651bdc54'
  const callers = async (store: TestStore) =>
    (await store.rows<FoundCall>(FOUND)).map(({ caller, rung, evidence }) => `${caller} ${rung} ${evidence}`)

  test('an id that two workloads send names neither', async () => {
    const lines = [
      taken('10.0.0.9:0', { request_id: id }),
      openedBy('web', '10.0.0.3:100', { request_id: id }),
      openedBy('mail', '10.0.0.4:100', { request_id: id }),
    ]
    const store = await joined('join-ids', [])
    await store.request('istio-json', lines.join('\n'), {})
    await joinCallers(store.store)
    expect(await callers(store)).toEqual([' forwarded_address none'])
  })

  test('where no line asks who called nothing is looked for, until one does', async () => {
    const store = await joined('join-none', [])
    const { jobs } = store.store
    const sent: string[] = []
    const command = jobs.command.bind(jobs)
    jobs.command = (params) => {
      sent.push(params.query)
      return command(params)
    }
    const writes = () => sent.filter((query) => query.startsWith('INSERT INTO joined_call (')).length
    await store.request('istio-json', openedBy('web', '10.0.0.3:100'), {})
    await joinCallers(store.store)
    expect(writes()).toBe(0)
    await store.request('istio-json', taken('10.0.0.3:100'), {})
    await joinCallers(store.store)
    expect(writes()).toBe(1)
    expect(await callers(store)).toEqual(['shop/web request joined'])
  })

  test('two that claim one connection are nobody, and who they were is kept', async () => {
    const store = await joined('join-two', [])
    const lines = [taken('10.0.0.3:100'), openedBy('web', '10.0.0.3:100'), openedBy('mail', '10.0.0.3:100')]
    await store.request('istio-json', lines.join('\n'), {})
    await joinCallers(store.store)
    expect(await callers(store)).toEqual([' two_callers none'])
    expect(await store.rows('SELECT contradicts FROM joined_call FINAL WHERE requests > 0')).toEqual([
      { contradicts: 'shop/mail shop/web' },
    ])
  })

  test('at the pace of a service, whose clock is never at a whole second', async () => {
    const store = await joined('join-pace', [])
    await store.request('istio-json', [taken('10.0.0.3:100'), openedBy('web', '10.0.0.3:100')].join('\n'), {})
    const settled = Date.parse('2026-11-29T10:00:00.123Z')
    expect(await joinCallers(store.store, settled, { settledMs: 15_000, pauseMs: 1 })).toBeGreaterThan(0)
    expect(await callers(store)).toEqual(['shop/web request joined'])
  })

  test('the word of a sender that is registered for claims joins nothing', async () => {
    const store = await joined('join-cap', [])
    await store.request('istio-json', taken('10.0.0.3:100'), {})
    await store.request('istio-json', openedBy('web', '10.0.0.3:100'), { sender: 'team', evidenceCap: 'claimed' })
    await joinCallers(store.store)
    expect(await callers(store)).toEqual([' unknown_address none'])
  })

  test('a Pod that is declared later has its address, one in the network of its node has not', async () => {
    const store = await joined('join-pods', [])
    await store.request('istio-json', [taken('10.0.0.7:100'), taken('10.0.0.8:100', { path: '/b' })].join('\n'), {})
    await joinCallers(store.store)
    expect(await callers(store)).toEqual([' unknown_address none'])
    const declared = (name: string, podIP: string, hostIP: string) => ({
      kind: 'Pod',
      metadata: {
        name: `${name}-5f7c9d8b6d-x2x4z`,
        namespace: 'shop',
        labels: { 'pod-template-hash': '5f7c9d8b6d' },
        ownerReferences: [{ kind: 'ReplicaSet', name: `${name}-5f7c9d8b6d`, controller: true }],
      },
      status: { phase: 'Running', podIP, hostIP, startTime: '2026-11-05T09:00:00Z' },
    })
    const objects = [declared('web', '10.0.0.7', '10.9.0.1'), declared('agent', '10.0.0.8', '10.0.0.8')]
    await store.request('kubernetes-objects', objects.map((object) => JSON.stringify(object)).join('\n---\n'), {})
    await joinCallers(store.store)
    expect(await callers(store)).toEqual([' shared_address none', 'shop/web address address'])
  })

  test('a Pod that an EndpointSlice names has its address from when it was declared, one in the network of its node has not', async () => {
    const store = await joined('join-slices', [])
    const endpoint = (address: string, pod: string, nodeName = 'n1') => ({
      addresses: [address],
      nodeName,
      targetRef: { kind: 'Pod', name: pod, namespace: 'shop' },
    })
    const node = {
      kind: 'Node',
      metadata: { name: 'n1', creationTimestamp: '2026-11-01T00:00:00Z' },
      status: {
        addresses: [
          { type: 'InternalIP', address: '10.0.0.8' },
          { type: 'Hostname', address: 'n1' },
        ],
      },
    }
    const slice = (...endpoints: object[]) => ({
      kind: 'EndpointSlice',
      apiVersion: 'discovery.k8s.io/v1',
      metadata: { name: 'web-x2x4z', namespace: 'shop' },
      addressType: 'IPv4',
      endpoints,
    })
    const declare = (...objects: object[]) =>
      store.request('kubernetes-objects', objects.map((object) => JSON.stringify(object)).join('\n---\n'), {})
    const agent = endpoint('10.0.0.8', 'agent-x2x4z')
    const elsewhere = endpoint('10.0.0.6', 'far-5f7c9d8b6d-x2x4z', 'n2')
    expect(await declare(node, slice(endpoint('10.0.0.7', 'web-5f7c9d8b6d-x2x4z'), agent, elsewhere))).toMatchObject({
      accepted: 1,
      rejected: 0,
    })
    // Of a node that nobody tells, who knows who speaks from the address.
    expect(await declare(slice(elsewhere))).toMatchObject({ accepted: 0, rejected: 1 })
    const now = { start_time: new Date().toISOString() }
    const lines = [
      taken('10.0.0.7:100', { path: '/before' }),
      taken('10.0.0.6:100', { ...now, path: '/far' }),
      taken('10.0.0.8:100', { ...now, path: '/node' }),
      taken('10.0.0.7:100', { ...now, path: '/own' }),
    ]
    await store.request('istio-json', lines.join('\n'), {})
    await joinCallers(store.store)
    // What nobody can be named for is kept without its path.
    expect(await callers(store)).toEqual([
      ' unknown_address none',
      ' shared_address none',
      ' unknown_address none',
      'shop/web address address',
    ])
    // Declared again it is held from when it was declared first: one row, however often.
    await declare(node, slice(endpoint('10.0.0.7', 'web-5f7c9d8b6d-x2x4z')))
    expect(
      await store.rows(
        "SELECT workload, uniqExact(since) AS times, max(until) > min(since) AS goes_on FROM declared_address WHERE address = toIPv6('::ffff:10.0.0.7') GROUP BY workload",
      ),
    ).toEqual([{ workload: 'web', times: 1, goes_on: 1 }])
  })
})
