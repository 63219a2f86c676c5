import { beforeAll, describe, expect, test } from 'vitest'
import { seeded } from '../../collector/lines.ts'
import { openTestStore } from '../../collector/support.ts'
import { type Batch, shopScenario } from '../../scenarios/shop.ts'
import { type FoundChains, foundChains, scoreOf } from './support.ts'

/** A line as an outsider reads it. */
interface Line {
  text: string
  cluster: string
  trace: string
  /** Milliseconds since 1970. */
  at: number
  until: number
  isInbound: boolean
  method: string
  path: string
  /** The Service that is called. */
  authority: string
  callee: string | null
  caller: string | null
}

const OPTIONS = { seed: 23, end: new Date('2026-11-20T00:00:00Z'), days: 2, requests: 9_000 }
const DELETED_SHARE = 0.05

function readShop(bothSides: number): Line[] {
  const generator = shopScenario({ ...OPTIONS, bothSides })
  const found: Line[] = []
  for (let step = generator.next(); !step.done; step = generator.next()) found.push(...linesOf(step.value))
  return found
}

function linesOf({ cluster, bytes }: Batch): Line[] {
  return bytes
    .toString()
    .trimEnd()
    .split('\n')
    .map((text) => {
      const line = JSON.parse(text)
      const at = Date.parse(line.start_time)
      return {
        ...{
          text,
          cluster,
          at,
          until: at + line.duration,
          method: line.method,
          path: line.path,
          authority: line.authority,
        },
        trace: line.traceparent?.split('-')[1] ?? '',
        isInbound: line.upstream_cluster?.startsWith('inbound') ?? false,
        callee: line.destination_principal,
        caller: line.source_principal,
      }
    })
}

/** What a store of its own makes of the lines. */
async function chainsOf(lines: readonly Line[]): Promise<FoundChains> {
  const store = await openTestStore('chains-lines')
  try {
    for (const [cluster, some] of Map.groupBy(lines, (line) => line.cluster))
      await store.file('istio-json', some.map(({ text }) => text).join('\n'), cluster)
    return await foundChains(store)
  } finally {
    await store.close()
  }
}

const brokenOf = ({ chains, breaks }: FoundChains) => {
  const told = new Set(breaks)
  return chains.filter(({ gaps }) => gaps.some((gap) => told.has(gap)))
}

const encloses = (outer: Line, inner: Line) => outer !== inner && outer.at <= inner.at && outer.until >= inner.until

/** Whether the rest of its trace shows that a callee's line is not there: the other side's line, or what it called. */
function leavesSomething(line: Line, trace: readonly Line[]): boolean {
  const isOtherSide = (other: Line) => !other.isInbound && other.path === line.path && encloses(other, line)
  return trace.some((other) => encloses(line, other) && other.caller === line.callee) || trace.some(isOtherSide)
}

/** Whether only callees' proxies log, or those of both sides. */
describe.each([0, 1])(
  'chains of lines alone, of proxies that trace themselves and send no spans, with callers logging: %d',
  (bothSides) => {
    const lines = readShop(bothSides)
    const traces = Map.groupBy(
      lines.filter(({ trace }) => trace !== ''),
      ({ trace }) => trace,
    )
    let whole: FoundChains
    beforeAll(async () => {
      whole = await chainsOf(lines)
    })

    test('are as many as there are traces, and complete', () => {
      expect(whole.chains).toHaveLength(traces.size)
      expect(brokenOf(whole).length / traces.size).toBeLessThan(0.002)
    })

    test('have as many calls as callees logged', () => {
      const deepest = Math.max(...whole.chains.map(({ hops }) => hops.length))
      expect(deepest).toBeGreaterThan(5)
      const told = whole.chains.flatMap(({ hops }) => hops).filter(({ calleeLog }) => calleeLog)
      expect(told).toHaveLength(lines.filter(({ trace, isInbound }) => trace !== '' && isInbound).length)
    })

    test('with lines of callees deleted at random, the broken ones are found', async () => {
      const random = seeded(bothSides)
      const deleted = new Set(
        lines.filter(({ trace, isInbound }) => trace !== '' && isInbound && random() < DELETED_SHARE),
      )
      const kept = lines.filter((line) => !deleted.has(line))
      const named = new Set(brokenOf(await chainsOf(kept)).map(({ trace }) => trace))
      const rest = (line: Line) => (traces.get(line.trace) ?? []).filter((other) => !deleted.has(other))
      const visible = new Set(
        [...deleted].filter((line) => leavesSomething(line, rest(line))).map(({ trace }) => trace),
      )
      const score = scoreOf(named, visible, new Set([...deleted].map(({ trace }) => trace)))
      expect(score.visible).toBeGreaterThan(100)
      expect(score.precision).toBeGreaterThanOrEqual(0.99)
      expect(score.recall).toBeGreaterThanOrEqual(0.99)
    })
  },
)
