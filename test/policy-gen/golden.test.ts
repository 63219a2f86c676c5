import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { generate } from '../../policy-gen/generate.ts'
import type { ProposeOptions } from '../../policy-gen/propose.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import { REPORT_FILE, readAssumed } from '../../policy-gen/report.ts'
import { runCases } from '../../policy-gen/run-cases.ts'
import { targets } from '../../policy-gen/targets/index.ts'
import { decidable, rego } from './engines/opa.ts'
import { inventory, operation, readCases, type ShortInventory, type ShortOperation, WINDOW } from './support.ts'

interface ProposeCase {
  name: string
  says: string
  options?: ProposeOptions
  inventory?: ShortInventory
  operations: ShortOperation[]
  expect?: Expectation[]
}

/**
 * What the policies must say to a call, whatever the target. A target that cannot (`but`, by its id) is listed with what
 * it says instead and the kind of loss in its report that announces it: one that differs and does not say so fails.
 */
interface Expectation {
  call: ShortOperation
  is: 'allowed' | 'denied'
  but?: Record<string, { is: 'allowed' | 'denied'; because: string }>
}

/** Set CINCH_GOLDEN=write to accept what is rendered now; review the difference before it is committed. */
const { CINCH_GOLDEN } = process.env
const WRITE = CINCH_GOLDEN === 'write'

const cases = readCases<ProposeCase[]>('propose.yaml')

it('names no target that does not exist', () => {
  const named = cases.flatMap(({ expect: list = [] }) => list.flatMap(({ but = {} }) => Object.keys(but)))
  expect(named.filter((id) => !targets.some((target) => target.id === id))).toEqual([])
})

for (const target of decidable) {
  for (const testCase of cases) {
    const directory = fileURLToPath(new URL(`golden/${target.id}/${testCase.name}`, import.meta.url))
    const operations = testCase.operations.map(operation)
    const known = inventory(testCase.inventory)
    const { files, report } = generate(operations, known, target, { ...testCase.options, window: WINDOW })

    describe(`${target.id}, ${testCase.name}: ${testCase.says}`, () => {
      const short = { path: 'loss.json', content: `${JSON.stringify(report.loss, null, 2)}\n` }
      const golden = [...files.filter(({ path }) => path !== REPORT_FILE), short]
      if (WRITE) rmSync(directory, { recursive: true, force: true })

      it.each(golden)('renders $path', ({ path, content }) => {
        const file = `${directory}/${path}`
        if (WRITE) {
          mkdirSync(dirname(file), { recursive: true })
          writeFileSync(file, content)
        }
        expect(content).toBe(existsSync(file) ? readFileSync(file, 'utf8') : 'no golden file')
      })

      it('renders nothing else', () => {
        const listed = readdirSync(directory, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => `${entry.parentPath}/${entry.name}`.slice(directory.length + 1))
        expect(listed.sort()).toEqual(golden.map(({ path }) => path).sort())
      })

      it('keeps its own test cases, as replay reads the files', () => {
        const { cases, failed } = runCases(files, rego, known)
        expect(cases).toBeGreaterThan(0)
        expect(failed).toEqual([])
      })

      it('denies in replay exactly what the report says it refuses or skips', () => {
        const context = { inventory: known, assumed: readAssumed(files), window: WINDOW, rego }
        const result = replay(files, operations, context)
        const refused = report.loss.filter(({ done }) => done === 'refused')
        const expected = refused.reduce((sum, loss) => sum + loss.requests, 0)
        const denied = result.newly_denied.reduce((sum, call) => sum + call.requests, 0)
        const uncertain = result.uncertain.reduce((sum, call) => sum + call.requests, 0)
        expect(denied + uncertain).toBe(expected)
        // What a target that sees no identities lets in beside, its report says for the port.
        const announced = report.loss.filter(({ kind, done }) => kind === 'identity' && done === 'widened')
        expect(
          result.newly_allowed.filter(
            (call) => !announced.some(({ port }) => port === 0 || port === call.workload_port),
          ),
        ).toEqual([])
      })

      it.each(testCase.expect ?? [])('says to $call: $is', ({ call, is, but }) => {
        const exception = but?.[target.id]
        const context = { inventory: known, assumed: readAssumed(files), window: WINDOW, rego }
        const result = replay(files, [operation(call)], context)
        const verdict = result.still_allowed > 0 ? 'allowed' : result.newly_denied.length > 0 ? 'denied' : 'uncertain'
        expect(verdict).toBe(exception?.is ?? is)
        if (!exception) return
        expect(exception.is).not.toBe(is)
        const done = exception.is === 'allowed' ? 'widened' : 'refused'
        expect(report.loss.filter((loss) => loss.kind === exception.because && loss.done === done)).not.toEqual([])
      })
    })
  }
}
