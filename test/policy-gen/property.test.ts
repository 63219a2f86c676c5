import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { generate } from '../../policy-gen/generate.ts'
import { covers, type Grant, rulesOf } from '../../policy-gen/grants/rules.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import type { Loss } from '../../policy-gen/targets/target.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import { decidable, rego } from './engines/opa.ts'
import { concrete, randomOperations } from './random.ts'
import { inventoryOf, WINDOW } from './support.ts'

const RUNS = { seed: 20260101, numRuns: 40 }
/** The machine may be busy: a slow run is no failure. */
const TIMEOUT_MS = 120_000
const seeds = fc.integer({ min: 1, max: 1_000_000 })

/**
 * Targets that cannot say what these calls need, by id, with the reason. Each must announce in its loss report what it
 * lets in instead; a target that is not listed must have nothing to report.
 */
const COARSE: Record<string, string> = { kubernetes: 'the network sees pods and ports, no methods and no paths' }

/** Whether a loss report says that a call is let in although it was not observed. */
function announces(loss: readonly Loss[], { source, destination, method, path, workloadPort }: ObservedOperation) {
  return loss.some(
    (entry) =>
      entry.done === 'widened' &&
      entry.caller === source.principal &&
      entry.callee === destination.id &&
      (entry.to === 'workload' || entry.port === 0 || entry.port === workloadPort) &&
      (entry.to === 'workload' || entry.to === 'port' || entry.method === method) &&
      (entry.to !== 'path' || entry.path === path),
  )
}

/** At every callee: every caller with every method, path and port that was seen there, and whether it was observed. */
function crossProduct(operations: ObservedOperation[]): { call: ObservedOperation; observed: boolean }[] {
  const keyOf = ({ source, destination, method, path, workloadPort }: ObservedOperation) =>
    JSON.stringify([source.principal, destination.id, method, path, workloadPort])
  const observed = new Set(operations.map(keyOf))
  const callers = [...new Map(operations.map(({ source }) => [source.principal, source])).values()]
  const distinct = <T>(values: T[]): T[] => [...new Set(values)]
  const byCallee = Map.groupBy(operations, ({ destination }) => destination.id)
  return [...byCallee.values()].flatMap((seen) =>
    callers.flatMap((source) =>
      distinct(seen.map(({ method }) => method)).flatMap((method) =>
        distinct(seen.map(({ path }) => path)).flatMap((path) =>
          distinct(seen.map(({ workloadPort }) => workloadPort)).map((workloadPort) => {
            const call = { ...(seen[0] as ObservedOperation), source, method, path, workloadPort, requests: 1 }
            return { call, observed: observed.has(keyOf(call)) }
          }),
        ),
      ),
    ),
  )
}

describe.each(decidable)('policies of $id at granularity path', { timeout: TIMEOUT_MS }, (target) => {
  it('allow every observed call and no other combination of what was observed', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 60 }), (seed, count) => {
        const operations = randomOperations(seed, count)
        const inventory = inventoryOf(operations)
        const { files, report } = generate(operations, inventory, target, { window: WINDOW })
        if (COARSE[target.id] === undefined) expect(report.loss).toEqual([])
        const context = { inventory, window: WINDOW, rego }
        const all = replay(files, operations, context)
        expect(all.still_allowed).toBe(operations.reduce((sum, { requests }) => sum + requests, 0))
        const cross = crossProduct(operations)
        const literal = cross.map(({ call, observed }, at) => ({
          observed,
          call: { ...call, path: concrete(call.path, at + 1) },
        }))
        for (const calls of [cross, literal]) {
          const result = replay(
            files,
            calls.map(({ call }) => call),
            context,
          )
          const mayPass = calls.filter(({ call, observed }) => observed || announces(report.loss, call)).length
          expect(result.still_allowed).toBe(mayPass)
          expect(result.newly_denied.length).toBe(calls.length - mayPass)
        }
      }),
      RUNS,
    )
  })

  it.each(['workload', 'port', 'method'] as const)('allow every observed call at granularity %s too', (granularity) => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const operations = randomOperations(seed, 30)
        const inventory = inventoryOf(operations)
        const { files } = generate(operations, inventory, target, { granularity, window: WINDOW })
        const result = replay(files, operations, { inventory, window: WINDOW, rego })
        expect(result.newly_denied).toEqual([])
        expect(result.uncertain).toEqual([])
      }),
      RUNS,
    )
  })

  it('do not depend on the order of what was observed', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const operations = randomOperations(seed, 30)
        const inventory = inventoryOf(operations)
        const render = (list: ObservedOperation[]) => generate(list, inventory, target, { window: WINDOW }).files
        expect(render(operations.toReversed()).filter(isPolicy)).toEqual(render(operations).filter(isPolicy))
      }),
      { ...RUNS, numRuns: 20 },
    )
  })
})

describe('minimised rules', { timeout: TIMEOUT_MS }, () => {
  const grant: fc.Arbitrary<Grant> = fc.record({
    port: fc.constantFrom(0, 80, 81),
    method: fc.constantFrom('', 'GET', 'PUT', 'POST'),
    path: fc.constantFrom('', '/a', '/b', '/c/{**}', '/c/d', '/e/{*}'),
    not: fc.constantFrom<string[]>([], ['/e/f']),
    when: fc.constantFrom<Grant['when']>([], [], [{ key: 'request.auth.claims[iss]', values: ['a'] }]),
  })
  const grants = fc.dictionary(fc.constantFrom('p', 'q', 'r', 's'), fc.array(grant, { minLength: 1, maxLength: 12 }))

  it('grant exactly what they were made from, caller by caller', () => {
    fc.assert(
      fc.property(grants, (byCaller) => {
        const rules = rulesOf(new Map(Object.entries(byCaller)))
        for (const [caller, wanted] of Object.entries(byCaller)) {
          const products = rules
            .filter(({ principals }) => principals.includes(caller))
            .flatMap(({ to, when }) => to.map((product) => ({ ...product, when })))
          const given = products.flatMap(({ ports, methods, paths, notPaths, when }) =>
            orAny(ports, 0).flatMap((port) =>
              orAny(methods, '').flatMap((method) =>
                orAny(paths, '').map((path) => ({ port, method, path, not: notPaths, when })),
              ),
            ),
          )
          for (const one of given) expect(wanted).toContainEqual(one)
          for (const one of wanted) expect(given.some((wide) => covers(wide, one))).toBe(true)
        }
      }),
      { seed: 7, numRuns: 300 },
    )
  })
})

function orAny<T>(values: T[], any: T): T[] {
  return values.length > 0 ? values : [any]
}

function isPolicy({ path }: { path: string }): boolean {
  return path.endsWith('.yaml')
}
