import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SOURCES } from '../../services/collector/sources/index.ts'
import { isReject, samplesOf } from './facts.ts'
import { awkward, mutated, mutatedJson } from './mutate.ts'
import { openTestStore, type TestStore } from './support.ts'

/** Another one each time with `CINCH_FUZZ_SEED=$RANDOM`; a failure prints the lines. */
const SEED = Number(process.env['CINCH_FUZZ_SEED'] ?? 7)
const RUNS = Number(process.env['CINCH_FUZZ_RUNS'] ?? 2)

let store: TestStore
let batches = 0
beforeAll(async () => {
  store = await openTestStore('fuzz')
}, 60_000)
afterAll(() => store.close())

/**
 * Ingests `lines` with a good one between each two: every line is a fact or a reject, each reject has a reason, and all
 * good ones are facts.
 */
async function expectEachAccountedFor(id: string, lines: Buffer[], good: Buffer): Promise<void> {
  const cluster = `batch ${++batches}`
  const bytes = Buffer.concat(lines.flatMap((line) => [good, line].flatMap((part) => [part, Buffer.from('\n')])))
  // A carriage return alone is an empty line, as in a file of another system.
  const blank = lines.filter((line) => line.length === 0 || (line.length === 1 && line[0] === 0x0d)).length
  const result = await store.file(id, bytes, cluster)
  const [stored] = await store.rows<{
    facts: number
    good: number
    rejects: number
    unreasoned: number
    longest: number
  }>(
    `SELECT (SELECT count() FROM request WHERE cluster = {cluster:String}) AS facts,
       (SELECT max(n) FROM (SELECT count() AS n FROM request WHERE cluster = {cluster:String} GROUP BY time, path, user_agent, source_port)) AS good,
       (SELECT count() FROM rejected_line WHERE cluster = {cluster:String}) AS rejects,
       (SELECT countIf(reason = '') FROM rejected_line WHERE cluster = {cluster:String}) AS unreasoned,
       (SELECT max(length(line)) FROM rejected_line WHERE cluster = {cluster:String}) AS longest`,
    { cluster },
  )
  expect(result.read).toBe(lines.length * 2 - blank)
  expect({ facts: stored?.facts, rejects: stored?.rejects, unreasoned: stored?.unreasoned }).toEqual({
    facts: result.accepted,
    rejects: result.rejected,
    unreasoned: 0,
  })
  expect(stored?.good).toBeGreaterThanOrEqual(lines.length)
  expect(stored?.longest).toBeLessThanOrEqual(512)
  expect(store.spooled()).toEqual([])
}

describe.each(SOURCES.filter((source) => source.kind === 'lines' && source.yields !== 'directory'))(
  'any bytes to $id',
  ({ id }) => {
    const samples = samplesOf(id).filter((sample) => !isReject(sample))
    const lines = samples.map(({ bytes }) => bytes)
    const good = lines[0]!

    const property = (line: fc.Arbitrary<Buffer>, size: number) =>
      fc.assert(
        fc.asyncProperty(fc.array(line, { minLength: size, maxLength: size }), (batch) =>
          expectEachAccountedFor(id, batch, good),
        ),
        { seed: SEED, numRuns: RUNS, endOnFailure: true },
      )

    test(
      'lines cut, changed and mixed are each a fact or a reject, and their neighbours are facts',
      () => property(mutated(lines), 150),
      120_000,
    )

    test.runIf(id === 'istio-json')(
      'keys with other types, repeated, missing and unknown',
      () => property(mutatedJson(lines), 100),
      120_000,
    )

    test(
      'awkward lines: a megabyte, bombs, byte order marks, prefixes without a line',
      () => expectEachAccountedFor(id, awkward(good), good),
      60_000,
    )

    test('one bad line alone, without a newline', async () => {
      expect(await store.file(id, 'no access log', `${id} alone`)).toMatchObject({ read: 1, accepted: 0, rejected: 1 })
    })
  },
)
