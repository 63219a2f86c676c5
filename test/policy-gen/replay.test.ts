import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { PolicyError } from '../../policy-gen/errors.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import { EMPTY_INVENTORY } from '../../services/model/inventory.ts'
import type { ReplayResult } from '../../services/model/replay.ts'
import {
  inventory,
  inventoryOf,
  operation,
  readCases,
  type ShortInventory,
  type ShortOperation,
  WINDOW,
} from './support.ts'

interface ReplayCase {
  name: string
  policies: string
  labels?: 'none'
  inventory?: ShortInventory
  assumed?: { principal?: string; selector?: string; ambient?: string[] }
  /** Observed too, without a request of its own: what replay may know from it. */
  also?: ShortOperation[]
  expect: { operation: ShortOperation; is: Verdict; why?: string }[]
}

/** Of all ten requests, or of so many of them where their users differ. */
type Verdict = 'allowed' | 'denied' | 'uncertain' | { allowed?: number; denied?: number; uncertain?: number }

interface InvalidCase {
  name: string
  content?: string
  kind?: string
  spec?: unknown
  says: string
}

/** How many requests of an operation that was served have which verdict. */
function verdictOf({ still_allowed: allowed, newly_denied, uncertain }: ReplayResult) {
  const sum = (calls: ReplayResult['uncertain']) => calls.reduce((total, { requests }) => total + requests, 0)
  return { allowed, denied: sum(newly_denied), uncertain: sum(uncertain) }
}

const FILES = ['replay.yaml', 'replay-ambient.yaml', 'replay-envoy-rbac.yaml', 'replay-egress.yaml']

for (const testCase of FILES.flatMap((name) => readCases<ReplayCase[]>(name))) {
  describe(testCase.name, () => {
    for (const { operation: short, is, why } of testCase.expect) {
      it(`${JSON.stringify(short)} is ${JSON.stringify(is)}`, () => {
        const observed = operation(short)
        const also = (testCase.also ?? []).map((other) => operation({ ...other, requests: 0 }))
        const known = testCase.inventory ? inventory(testCase.inventory) : inventoryOf([observed])
        const context = {
          inventory: testCase.labels === 'none' ? EMPTY_INVENTORY : known,
          window: WINDOW,
          ...(testCase.assumed ? { assumed: testCase.assumed } : {}),
        }
        const result = replay([{ path: 'a.yaml', content: testCase.policies }], [observed, ...also], context)
        const counts = typeof is === 'string' ? { [is]: 10 } : is
        expect(verdictOf(result)).toEqual({ allowed: 0, denied: 0, uncertain: 0, ...counts })
        expect(result.requests).toBe(10)
        const calls = [...result.newly_denied, ...result.uncertain]
        if (why && calls.length > 0) expect(calls[0]?.reason).toContain(why)
      })
    }
  })
}

describe('what the files hold', () => {
  const nothing = (name: string, kind = 'AuthorizationPolicy', spec: unknown = {}) =>
    stringify({ apiVersion: 'security.istio.io/v1', kind, metadata: { name, namespace: 'shop' }, spec })
  const context = { inventory: EMPTY_INVENTORY, window: WINDOW }

  const invalid = ['invalid-policies.yaml', 'invalid-envoy-rbac.yaml'].flatMap((name) => readCases<InvalidCase[]>(name))
  for (const testCase of invalid) {
    it(`refuses ${testCase.name}`, () => {
      const content = testCase.content ?? nothing('bad', testCase.kind, testCase.spec)
      const run = () => replay([{ path: 'dir/bad.yaml', content }], [], context)
      expect(run).toThrow(PolicyError)
      expect(run).toThrow(testCase.says)
      expect(run).toThrow(/^dir\/bad\.yaml: /)
    })
  }

  it('refuses one policy in two files: the later would replace the other', () => {
    const files = ['a.yaml', 'b.yaml'].map((path) => ({ path, content: nothing('same') }))
    expect(() => replay(files, [], context)).toThrow('b.yaml: AuthorizationPolicy shop/same is also in a.yaml')
  })

  it('reports the kinds that it does not evaluate, and reads no other files', () => {
    const service = 'apiVersion: v1\nkind: Service\nmetadata: {name: a}\n'
    const files = [
      { path: 'a.yaml', content: service },
      { path: 'tests.json', content: 'not read' },
    ]
    const [ignored, ...others] = replay(files, [], context).ignored
    expect(ignored).toMatchObject({ file: 'a.yaml', kind: 'v1 Service', name: 'a' })
    expect(others).toEqual([])
  })

  it('does not expand aliases without end', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let level = 1; level < 9; level++) {
      lines.push(
        `a${level}: &a${level} [${Array(10)
          .fill(`*a${level - 1}`)
          .join(', ')}]`,
      )
    }
    expect(() => replay([{ path: 'a.yaml', content: lines.join('\n') }], [], context)).toThrow(
      'is no YAML that can be read',
    )
  })

  it('refuses a document that holds itself', () => {
    const content = 'apiVersion: v1\nkind: Service\nmetadata: &m {name: a, again: *m}'
    expect(() => replay([{ path: 'a.yaml', content }], [], context)).toThrow('is no YAML that can be read')
  })

  it('counts every request once: served, denied and undecided', () => {
    const operations = [
      operation({ requests: 5, denied: 2 }),
      operation({ to: 'open/a', requests: 3, denied: 4 }),
      operation({ to: 'shop/unknown', requests: 1, denied: 6 }),
    ]
    const selector = { selector: { matchLabels: { app: 'unknown' } } }
    const files = [
      {
        path: 'a.yaml',
        content: nothing('nothing', 'AuthorizationPolicy', { selector: { matchLabels: { app: 'orders' } } }),
      },
      {
        path: 'b.yaml',
        content: nothing('other', 'AuthorizationPolicy', {
          ...selector,
          rules: [{ when: [{ key: 'source.ip', values: ['10.0.0.1'] }] }],
        }),
      },
    ]
    const result = replay(files, operations, { ...context, inventory: inventoryOf(operations) })
    expect(result).toMatchObject({ requests: 21, still_allowed: 3, still_denied: 2 })
    expect(result.newly_denied.map((call) => call.requests)).toEqual([5])
    expect(result.newly_allowed.map((call) => call.requests)).toEqual([4])
    expect(result.uncertain.map((call) => call.requests)).toEqual([7])
    expect(result.refused).toMatchObject([{ requests: 2, evidence: 'verified', days: 12 }])
  })
})
