import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isReject, samplesOf } from '../facts.ts'
import { mutatedJson } from '../mutate.ts'
import { openTestStore, type TestStore } from '../support.ts'

/** Another one each time with `CINCH_FUZZ_SEED=$RANDOM`; a failure prints the lines. */
const SEED = Number(process.env['CINCH_FUZZ_SEED'] ?? 11)

let store: TestStore
let batches = 0
beforeAll(async () => {
  store = await openTestStore('other-mutations')
}, 60_000)
afterAll(() => store.close())

/** Lines whose JSON has one level more: their inner object's keys are changed as well as their own. */
const INNER: Record<string, string[]> = { hubble: ['flow'], 'kubernetes-audit': ['user', 'objectRef'] }

function mutatedInside(lines: readonly Buffer[], keys: readonly string[]): fc.Arbitrary<Buffer>[] {
  return keys.flatMap((key) => {
    const objects = lines.map((line) => JSON.parse(String(line)) as Record<string, unknown>)
    const having = objects.filter((object) => typeof object[key] === 'object')
    const inner = mutatedJson(having.map((object) => Buffer.from(JSON.stringify(object[key]))))
    // A key twice, as a hostile writer would: what is put in is text, not an object.
    return fc
      .tuple(fc.constantFrom(...having), inner)
      .map(([object, text]) =>
        Buffer.from(JSON.stringify({ ...object, [key]: '@' }).replace('"@"', () => String(text))),
      )
  })
}

test.each(['ztunnel', 'linkerd', 'hubble', 'nginx', 'kubernetes-audit'])(
  '%s: keys of other types, repeated, missing and unknown are facts or rejects, and harm no neighbour',
  async (id) => {
    const lines = samplesOf(id)
      .filter((sample) => !isReject(sample) && String(sample.bytes).startsWith('{'))
      .map(({ bytes }) => bytes)
    const [good] = lines
    expect(good).toBeDefined()
    const line = fc.oneof(mutatedJson(lines), ...mutatedInside(lines, INNER[id] ?? []))
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 150, maxLength: 150 }), async (batch) => {
        const cluster = `${id} ${++batches}`
        const bytes = Buffer.concat(
          batch.flatMap((each) => [good ?? Buffer.alloc(0), each]).flatMap((each) => [each, Buffer.from('\n')]),
        )
        const result = await store.file(id, bytes, cluster)
        const [stored] = await store.rows(
          `SELECT (SELECT count() FROM request WHERE cluster = {cluster:String}) AS facts,
             (SELECT count() FROM rejected_line WHERE cluster = {cluster:String}) AS rejects,
             (SELECT countIf(reason = '') FROM rejected_line WHERE cluster = {cluster:String}) AS unreasoned`,
          { cluster },
        )
        expect(result.read).toBe(batch.length * 2)
        expect(result.accepted).toBeGreaterThanOrEqual(batch.length)
        expect(stored).toEqual({ facts: result.accepted, rejects: result.rejected, unreasoned: 0 })
      }),
      { seed: SEED, numRuns: 2, endOnFailure: true },
    )
  },
  120_000,
)
