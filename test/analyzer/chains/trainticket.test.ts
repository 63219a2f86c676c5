import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { seeded } from '../../collector/lines.ts'
import { openTestStore, type TestStore } from '../../collector/support.ts'
import { hasTrainticket, readTrainticket } from '../../collector/trainticket.ts'
import { required } from '../../requirements.ts'
import {
  callsIn,
  distinctSpans,
  foundChains,
  isClient,
  keysOf,
  lineOf,
  loadSpans,
  type Recorded,
  type RecordedCall,
  scoreOf,
} from './support.ts'

const ASKED = 0.99

describe.skipIf(!hasTrainticket && !required('CINCH_REQUIRE_DATA'))('chains of 1,637 recorded traces', () => {
  let spans: Map<string, Recorded>
  let calls: RecordedCall[]
  const stores: TestStore[] = []
  beforeAll(() => {
    spans = distinctSpans(readTrainticket().resources)
    calls = callsIn(spans)
  })
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close()
  })
  const open = async () => {
    const store = await openTestStore('chains')
    stores.push(store)
    return store
  }
  const childrenOf = (kept: Iterable<Recorded>) => Map.groupBy(kept, ({ parentId }) => parentId)
  const idOf = ({ callee }: RecordedCall, side: string) => `${side} ${callee.id}`

  test("whole, with lines of both sides: every chain is complete, and the counts are the recording's", async () => {
    const store = await open()
    await loadSpans(store, spans.values())
    await store.file(
      'istio-json',
      calls.flatMap((call) => [lineOf(call, 'caller'), lineOf(call, 'callee')]).join('\n'),
      '',
    )
    const { chains, breaks } = await foundChains(store)
    expect(breaks.map(({ hop: _, ...gap }) => gap)).toEqual([])
    expect(chains).toHaveLength(new Set([...spans.values()].map(({ span }) => span.traceId)).size)
    // A root and its calls, and nothing else: by trace, as counted from the file.
    const expected = new Map<string, number>()
    for (const { span, parentId } of spans.values()) if (parentId === '') expected.set(span.traceId, 1)
    for (const { callee } of calls) expected.set(callee.span.traceId, (expected.get(callee.span.traceId) ?? 0) + 1)
    expect(new Map(chains.map(({ trace, hops }) => [trace, hops.length]))).toEqual(expected)
    expect(
      chains.flatMap(({ hops }) => hops.filter(({ calleeLog, callerLog }) => calleeLog && callerLog)),
    ).toHaveLength(calls.length)
  }, 180_000)

  test.each([
    ['spans', 0.001, 1],
    ['spans', 0.01, 2],
    ['spans', 0.05, 3],
    ['spans', 0.2, 4],
    // All that a service tells of a trace; one that never tells anything is taken for one that does not report (`verdict.ts`).
    ['services', 0.01, 8],
    ['services', 0.1, 9],
  ])(
    '%s deleted at random, %d of them: the places are found',
    async (what, rate, seed) => {
      const random = seeded(seed)
      const drawn = new Map<string, boolean>()
      const isDrawn = ({ id, service, span: { traceId } }: Recorded) => {
        const key = what === 'services' ? `${traceId} ${service}` : id
        drawn.set(key, drawn.get(key) ?? random() < rate)
        return drawn.get(key) === true
      }
      const deleted = new Set([...spans.values()].filter(isDrawn).map(({ id }) => id))
      const kept = [...spans.values()].filter(({ id }) => !deleted.has(id))
      const store = await open()
      await loadSpans(store, kept)
      const { breaks } = await foundChains(store)
      const ids = await keysOf(store, [...spans.keys()])
      // What is to be seen: a span that others name as their parent, and the only callee's span under a client's.
      const surviving = childrenOf(kept)
      const all = childrenOf(spans.values())
      const visible = new Set([...deleted].filter((id) => surviving.has(id)))
      for (const client of kept)
        if (isClient(client) && !client.isDatabase && !surviving.has(client.id))
          for (const { id } of all.get(client.id) ?? []) visible.add(id)
      const named = new Set(
        breaks.flatMap(({ kind, key }) => {
          const id = ids.get(key) ?? `unknown ${key}`
          if (kind === 'parent_missing') return [id]
          const below = (all.get(id) ?? []).filter((child) => deleted.has(child.id)).map((child) => child.id)
          return below.length > 0 ? below : [`nothing deleted below ${id}`]
        }),
      )
      const score = scoreOf(named, visible, deleted)
      console.log(`${what}, ${rate} deleted`, score)
      expect(score.visible).toBeGreaterThan(20)
      expect(score.precision).toBeGreaterThanOrEqual(ASKED)
      expect(score.recall).toBeGreaterThanOrEqual(ASKED)
    },
    180_000,
  )

  test.each([
    [0.01, 5],
    [0.1, 6],
    [0.3, 7],
  ])(
    'lines deleted at random, %d of them: the hops without them are found',
    async (rate, seed) => {
      const random = seeded(seed)
      const sides = calls.flatMap((call) =>
        (['caller', 'callee'] as const).map((side) => ({ call, side, isKept: random() >= rate })),
      )
      const deleted = new Set(sides.filter(({ isKept }) => !isKept).map(({ call, side }) => idOf(call, side)))
      const store = await open()
      await loadSpans(store, spans.values())
      await store.file(
        'istio-json',
        sides
          .filter(({ isKept }) => isKept)
          .map(({ call, side }) => lineOf(call, side))
          .join('\n'),
        '',
      )
      const { breaks } = await foundChains(store)
      const ids = await keysOf(store, [...spans.keys()])
      const byCaller = Map.groupBy(calls, ({ caller }) => caller.id)
      const named = new Set(
        breaks.flatMap(({ kind, key }) => {
          const id = ids.get(key) ?? `unknown ${key}`
          if (kind === 'callee_log_missing') return [`callee ${id}`]
          if (kind === 'caller_log_missing') return (byCaller.get(id) ?? []).map((call) => idOf(call, 'caller'))
          return [`${kind} ${id}`]
        }),
      )
      const score = scoreOf(named, deleted, deleted)
      console.log(`lines, ${rate} deleted`, score)
      expect(score.precision).toBeGreaterThanOrEqual(ASKED)
      expect(score.recall).toBeGreaterThanOrEqual(ASKED)
    },
    180_000,
  )
})
