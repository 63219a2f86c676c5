import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { generate } from '../../policy-gen/generate.ts'
import { normalPath } from '../../policy-gen/normal-path.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import type { Report } from '../../policy-gen/report.ts'
import type { PolicyFile } from '../../policy-gen/targets/target.ts'
import { type ObservedOperation, PATH_FLAGS, type PathFlag } from '../../services/model/operation.ts'
import type { Editor } from './editors/editor.ts'
import { EDITORS } from './editors/index.ts'
import { decidable, rego } from './engines/opa.ts'
import { inventory, operation, seeded, WINDOW } from './support.ts'

/*
 * Names and paths are chosen by whoever sends telemetry. Whatever they are, what is rendered parses to the permissions that
 * the report lists, no more and no less, and means the same to a reader of YAML 1.1 (Kubernetes, Envoy) as to one of 1.2.
 */
const SEEDS = 60
const OPERATIONS = 40

/** Pieces that break out of something: YAML, templates of Helm and shells, regular expressions, lines. */
const PIECES = [
  "'",
  '"',
  '\\',
  '\n',
  '\r',
  '\u0085',
  '\u2028',
  '\u0000',
  '\ud800',
  'é',
  '🙂',
  ': ',
  ' #',
  '---',
  '...',
  '{{.Values.x}}',
  '$' + '{x}',
  '$(id)',
  '`id`',
  '<%= x %>',
  '!!js/function',
  '&a',
  '*a',
  '*',
  '|',
  '>',
  '%',
  '%2f',
  '%7B*%7D',
  '[0-9]+',
  '(.*)',
  '.',
  '..',
  '=',
  ';v=1',
  ',',
  '@',
  'null',
  'a',
  '7',
]
/** Names that are Kubernetes' own and something else to YAML: in 1.1, in 1.2, or in both. */
const CONFUSING = ['yes', 'on', 'null', 'true', '1', '0', '0x1f', '1e3', '012', '0o7', 'y', 'n', '2026-01-01', 'orders']
const METHODS = ['GET', 'ON', 'NULL', '*', 'G"ET', 'GE\nT', "'", '{{x}}', 'TRUE', '~', '|', '!X', '%', '`', 'P.+', '']

function hostileOperations(seed: number): { operations: ObservedOperation[]; labels: Record<string, string> } {
  const random = seeded(seed)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const text = (count: number) => Array.from({ length: count }, () => pick(PIECES)).join('')
  const labels: Record<string, string> = {}
  const callees = Array.from({ length: 6 }, () => {
    const name = `${pick(CONFUSING)}/${pick([pick(CONFUSING), text(pick([1, 2, 3])).replaceAll('/', '')])}`
    labels[name] = pick(CONFUSING)
    return name
  })
  const found = new Map<string, ObservedOperation>()
  for (let at = 0; at < OPERATIONS; at++) {
    const path = `/${Array.from({ length: pick([1, 2, 3]) }, () => text(pick([0, 1, 2]))).join('/')}`
    const [namespace = '', workload = ''] = pick(callees).split('/')
    const principal = pick([
      ...CONFUSING.map((name) => `cluster.local/ns/${name}/sa/${name}`),
      `cluster.local/ns/a/sa/${text(1)}`,
      text(2),
    ])
    const call = { principal, method: pick(METHODS), path, port: pick([80, 8080]), flags: flagsOf(path) }
    const seen = pick([[], [{ issuer: text(2), groups: [text(1), pick(CONFUSING)] }]])
    const one = operation({ ...call, from: `a/${text(1)}`, users: { without: 0, seen } })
    one.destination = { ...one.destination, namespace, workload, id: `${namespace}/${workload}` }
    found.set(JSON.stringify([call, namespace, workload]), one)
  }
  return { operations: [...found.values()], labels }
}

/** As the store flags them, of what matters to a target. */
function flagsOf(path: string): PathFlag[] {
  const has: Partial<Record<PathFlag, boolean>> = {
    braces: /[{}]/.test(path),
    dot_segment: path.split('/').some((segment) => /^\.{1,2}(;|$)/.test(segment)),
    equals: path.includes('='),
  }
  return PATH_FLAGS.filter((flag) => has[flag])
}

/** What the report says is granted: callee's label, caller, port, method and path, those refused left out. */
function granted(report: Report): string[] {
  const key = (parts: unknown[]) => JSON.stringify(parts)
  const about = (entry: { callee: string; caller: string; port: number; method: string; path: string }) =>
    key([entry.callee, entry.caller, entry.port, entry.method, entry.path])
  const lost = new Set(report.loss.filter(({ done }) => done === 'refused').map(about))
  return report.permissions.flatMap(({ callee, caller, port, operation: { method, path } }) => {
    const name = `${callee.namespace}/${callee.workload}`
    if (lost.has(about({ callee: name, caller: caller.principal, port, method, path }))) return []
    const { app } = callee.selector as { app: string }
    return [key([`${callee.namespace}/${app}`, caller.principal, String(port), method, normalPath(path)])]
  })
}

/** Requests that are like an observed one, if something in it were a wildcard. */
function beside(call: ObservedOperation): ObservedOperation[] {
  const paths = [`${call.path}zz`, call.path.replaceAll('*', 'zz'), call.path.replaceAll('.', 'z'), `/zz${call.path}`]
  const denied = { ...call, requests: 0, denied: 1 }
  return [
    ...paths.map((path) => ({ ...denied, path, pathFlags: flagsOf(path) })),
    ...['GET', 'PATCH', `${call.method}X`].map((method) => ({ ...denied, method })),
  ]
}

function keyOf({ source, destination, workloadPort, method, path }: ObservedOperation, labels: Record<string, string>) {
  const { namespace, workload } = destination
  const callee = `${namespace}/${labels[`${namespace}/${workload}`]}`
  return JSON.stringify([callee, source.principal, String(workloadPort), method, normalPath(path)])
}

function written(files: readonly PolicyFile[], editor: Editor): string[] {
  return files
    .filter((file) => editor.allows(file))
    .flatMap((file) => editor.open(file).rules)
    .map((rule) => ({ ...rule, callee: editor.calleeOf?.(rule.callee, files) ?? rule.callee }))
    .flatMap(({ callee, principals, entries }) =>
      principals.flatMap((principal) =>
        entries.flatMap(({ ports = [''], methods = [''], paths = [''] }) =>
          ports.flatMap((port) =>
            methods.flatMap((method) => paths.map((path) => JSON.stringify([callee, principal, port, method, path]))),
          ),
        ),
      ),
    )
}

describe.each(decidable)('hostile names and paths through $id', (target) => {
  const editor = EDITORS[target.id]

  it('leave what is granted as it is', { timeout: 120_000 }, () => {
    let grants = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { operations, labels } = hostileOperations(seed)
      const known = inventory({ workloads: labelled(labels) })
      // Without a method nothing of HTTP is said, and the editors read rules of HTTP.
      const named = operations.filter(({ method }) => method !== '')
      const { files, report } = generate(named, known, target, { window: WINDOW })
      for (const { path, content } of files.filter((file) => file.path.endsWith('.yaml'))) {
        expect(content, path).toMatch(/^[\n\x20-\x7e]*$/)
        const read = (version: '1.1' | '1.2') =>
          parseAllDocuments(content, { version }).map((document) => document.toJS())
        expect(read('1.1'), path).toEqual(read('1.2'))
      }
      expect(
        files.map(({ path }) => path).filter((path) => !/^[a-z0-9._/-]+$/.test(path) || path.includes('..')),
      ).toEqual([])
      if (!editor || !('open' in editor)) continue
      const expected = granted(report)
      expect(written(files, editor).sort(), `seed ${seed}`).toEqual([...new Set(expected)].sort())
      const context = { inventory: known, window: WINDOW, rego }
      // No piece of a path or a method may have become a pattern.
      const own = new Set(expected)
      // A callee of which nothing is known to be granted is for the default, which not every target has.
      const protectedOnes = new Set(
        report.permissions.map(({ callee }) => `${callee.namespace}/${callee.selector['app']}`),
      )
      const probes = named
        .filter(({ destination: { namespace, workload } }) =>
          protectedOnes.has(`${namespace}/${labels[`${namespace}/${workload}`]}`),
        )
        .flatMap(beside)
        .filter((probe) => !own.has(keyOf(probe, labels)))
      expect(replay(files, probes, context).newly_allowed, `seed ${seed}`).toEqual([])
      const refused = report.loss.filter(({ done }) => done === 'refused').reduce((sum, one) => sum + one.requests, 0)
      const skipped = report.skipped.reduce((sum, one) => sum + one.requests, 0)
      const result = replay(files, named, context)
      expect(result.requests - result.still_allowed, `seed ${seed}`).toBeLessThanOrEqual(refused + skipped)
      grants += expected.length
    }
    if (editor && 'open' in editor) expect(grants).toBeGreaterThan(SEEDS * 5)
  })

  it('do not break out where no method is known either', () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { operations, labels } = hostileOperations(seed)
      const known = inventory({ workloads: labelled(labels) })
      const { files } = generate(operations, known, target, { userConditions: true, window: WINDOW })
      for (const { path, content } of files.filter((file) => file.path.endsWith('.yaml'))) {
        const read = (version: '1.1' | '1.2') =>
          parseAllDocuments(content, { version }).map((document) => document.toJS())
        expect(read('1.1'), path).toEqual(read('1.2'))
      }
      expect(() => replay(files, operations, { inventory: known, window: WINDOW, rego })).not.toThrow()
    }
  })
})

function labelled(labels: Record<string, string>): Record<string, Record<string, string>> {
  return Object.fromEntries(Object.entries(labels).map(([name, app]) => [`/${name}`, { app }]))
}
