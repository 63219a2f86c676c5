import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { PolicyError } from '../../policy-gen/errors.ts'
import { generate } from '../../policy-gen/generate.ts'
import { propose } from '../../policy-gen/propose.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import { readAssumed, readReport } from '../../policy-gen/report.ts'
import { targetById } from '../../policy-gen/targets/index.ts'
import { EMPTY_INVENTORY } from '../../services/model/inventory.ts'
import { inventory, inventoryOf, operation, WINDOW } from './support.ts'

const RULES = { principalRule: 'cluster.local/ns/{namespace}/sa/{workload}', selectorRule: 'app={workload}' }
const istio = targetById('istio')

describe('who earns a permission', () => {
  const known = inventoryOf([operation({})])

  it('nobody below the evidence, with the reason', () => {
    const proposal = propose([operation({ evidence: 'address' }), operation({ evidence: 'claimed' })], known)
    expect(proposal.permissions).toEqual([])
    expect(proposal.skipped.map(({ code, reason }) => [code, reason])).toEqual([
      ['evidence', "the caller's identity is only address; joined is asked for"],
      ['evidence', "the caller's identity is only claimed; joined is asked for"],
    ])
  })

  it('nobody who was only denied', () => {
    const { permissions, skipped } = propose([operation({ requests: 0, denied: 7 })], known)
    expect(permissions).toEqual([])
    expect(skipped).toMatchObject([{ code: 'denied', operations: 1, requests: 0, denied: 7 }])
  })

  it('a claimed caller only with a naming rule, and the proposal says so', () => {
    const claimed = [operation({ evidence: 'claimed', principal: '' })]
    const without = propose(claimed, known, { minimumEvidence: 'claimed' })
    expect(without.skipped).toMatchObject([{ code: 'principal' }])
    expect(without.skipped[0]?.reason).toContain('--principal')
    const rule = RULES.principalRule
    const proposal = propose(claimed, known, { minimumEvidence: 'claimed', principalRule: rule })
    expect(proposal.permissions[0]?.caller).toMatchObject({
      principal: 'cluster.local/ns/shop/sa/web',
      basis: 'assumed',
    })
    expect(proposal.assumed).toEqual({ principal: rule, principals: ['cluster.local/ns/shop/sa/web'], callees: [] })
  })

  it('by its service account, where the inventory knows it', () => {
    const claimed = [
      operation({ evidence: 'claimed', principal: '' }),
      operation({ evidence: 'claimed', principal: '', from: 'shop/ghost' }),
    ]
    const facts = inventory({ workloads: { 'shop/web': { app: 'web' }, 'shop/orders': { app: 'orders' } } })
    const principalRule = 'td/ns/{namespace}/sa/{serviceAccount}'
    const proposal = propose(claimed, facts, { minimumEvidence: 'claimed', principalRule })
    expect(proposal.permissions.map(({ caller }) => caller.principal)).toEqual(['td/ns/shop/sa/web-account'])
    expect(proposal.skipped[0]?.reason).toContain('{serviceAccount}')
  })

  it('no rule is called assumed that was not needed', () => {
    expect(propose([operation({})], known, RULES).assumed).toEqual({ principals: [], callees: [] })
  })

  it('no callee without labels, unless a rule gives them', () => {
    const { skipped } = propose([operation({})], EMPTY_INVENTORY)
    expect(skipped[0]).toMatchObject({ code: 'callee', requests: 10 })
    expect(skipped[0]?.reason).toContain('--selector')
    const proposal = propose([operation({})], EMPTY_INVENTORY, RULES)
    expect(proposal.permissions[0]?.callee).toMatchObject({ selector: { app: 'orders' }, selectorBasis: 'assumed' })
    expect(proposal.assumed.callees).toEqual(['shop/orders'])
  })

  it.each(['cluster.local/ns/{ns}/sa/{workload}', 'a/{workload', '', 'a/{}'])(
    'an unknown placeholder is an error: %s',
    (rule) => {
      const run = () => propose([], EMPTY_INVENTORY, { principalRule: rule })
      expect(run).toThrow(PolicyError)
      expect(run).toThrow('{cluster}, {namespace}, {workload}, {serviceAccount}')
    },
  )

  it('merges what several operations say about one permission', () => {
    const early = { ...operation({ requests: 3, evidence: 'joined' }), firstSeen: '2026-01-01T00:00:00Z', days: 2 }
    const { permissions } = propose([operation({}), early], known)
    expect(permissions).toHaveLength(1)
    expect(permissions[0]?.evidence).toMatchObject({
      first_seen: '2026-01-01T00:00:00Z',
      requests: 13,
      days: 12,
      strength: 'verified',
    })
  })
})

describe('selectors', () => {
  const selectorOf = (workloads: Record<string, Record<string, string>>, services = {}) =>
    propose([operation({})], inventory({ workloads, services })).permissions[0]?.callee.selector

  it('take the labels of the Service, without a version', () => {
    const labels = { 'app.kubernetes.io/name': 'orders', app: 'o', version: 'v1' }
    const selector = { app: 'o', version: 'v1' }
    const services = { 'shop/orders': { selector, ports: { '80': 8080 } } }
    expect(selectorOf({ 'shop/orders': labels }, services)).toEqual({ app: 'o' })
    expect(selectorOf({ 'shop/orders': labels })).toEqual({ 'app.kubernetes.io/name': 'orders' })
  })

  it('never select another application, even when the Service does', () => {
    const services = { 'shop/all': { selector: { tier: 'back' }, ports: {} } }
    const workloads = { 'shop/orders': { tier: 'back', app: 'orders' }, 'shop/bank': { tier: 'back', app: 'bank' } }
    expect(selectorOf(workloads, services)).toEqual({ app: 'orders' })
  })

  it('are refused where labels do not tell two applications apart', () => {
    const workloads = { 'shop/orders': { tier: 'back' }, 'shop/bank': { tier: 'back', extra: 'x' } }
    const proposal = propose([operation({})], inventory({ workloads }))
    expect(proposal.skipped[0]?.reason).toContain('also selects another application')
  })
})

describe('evidence strings are hostile', () => {
  const HOSTILE = [
    '*',
    '**',
    '{*}',
    'a: b\n- c',
    '"',
    "'",
    '../../etc/passwd',
    'x'.repeat(400),
    '\u2028',
    '#',
    '&a',
    '!!js',
    '-',
    '%',
    '{namespace}',
  ]

  it.each(HOSTILE)('no name, path or method %j adds a wildcard, a document or a file elsewhere', (text) => {
    const operations = [
      operation({}),
      { ...operation({ principal: text }) },
      { ...operation({ principal: '', evidence: 'claimed', path: `/${text}` }), method: text },
      operation({ path: text }),
      operation({ path: `/a/${text}`, method: 'PUT' }),
    ]
    for (const part of ['workload', 'namespace', 'cluster'] as const) {
      const base = operation({ method: 'PATCH' })
      operations.push({ ...base, destination: { ...base.destination, [part]: text } })
      const caller = operation({ principal: '', evidence: 'claimed', method: 'DELETE' })
      operations.push({ ...caller, source: { ...caller.source, [part]: text } })
    }
    const options = { ...RULES, minimumEvidence: 'claimed', window: WINDOW } as const
    const { files, report } = generate(operations, EMPTY_INVENTORY, istio, options)
    for (const file of files) {
      expect(file.path).toMatch(/^([a-z0-9][a-z0-9.-]*\/){0,2}[a-z0-9][a-z0-9.-]*\.(yaml|json)$/)
      expect(file.path.split('/').at(-1)?.length).toBeLessThan(256)
    }
    const written = files.filter(({ path }) => path.endsWith('.yaml')).flatMap(({ content }) => specStrings(content))
    expect(written.length).toBeGreaterThan(5)
    // "*" alone is the guard's own word for any identity, and nobody else's.
    const guards = files.filter(({ path }) => path.includes('4-guard/')).flatMap(({ content }) => specStrings(content))
    expect(written.filter((value) => value === '*')).toEqual(guards.filter((value) => value === '*'))
    for (const value of written.filter((one) => one !== '*'))
      expect(/^\*|\*$/.test(value.replaceAll('{*}', '')), value).toBe(false)
    // The replay's reader is as strict as Istio's validation: it would refuse anything malformed.
    const context = { inventory: EMPTY_INVENTORY, assumed: readAssumed(files), window: WINDOW }
    const stranger = operation({ principal: 'cluster.local/ns/x/sa/stranger', to: 'shop/orders' })
    expect(replay(files, [stranger], context).newly_denied).toHaveLength(1)
    expect(JSON.parse(JSON.stringify(report))).toEqual(report)
  })

  it('two names never share a file', () => {
    const names = ['a', 'A', 'a_', 'a-', `${'x'.repeat(300)}1`, `${'x'.repeat(300)}2`]
    const operations = names.map((name) => ({
      ...operation({}),
      destination: { ...operation({}).destination, workload: name },
    }))
    const workloads = names.map((name, at) => ({
      cluster: '',
      namespace: 'shop',
      name,
      kind: 'Deployment',
      serviceAccount: '',
      owner: '',
      labels: { app: `n${at}` },
    }))
    const { files } = generate(operations, { workloads, services: [] }, istio, { window: WINDOW })
    const allow = files.filter(({ path }) => path.startsWith('1-allow/'))
    expect(new Set(allow.map(({ path }) => path)).size).toBe(names.length)
    expect(() => replay(files, [], { inventory: EMPTY_INVENTORY, window: WINDOW })).not.toThrow()
  })
})

describe('the report', () => {
  const { files } = generate([operation({})], EMPTY_INVENTORY, istio, { ...RULES, window: WINDOW })

  it('is read back with its assumptions', () => {
    expect(readAssumed(files)).toEqual({ selector: 'app={workload}' })
    expect(readReport(files)?.permissions[0]?.evidence.requests).toBe(10)
    expect(readAssumed([])).toEqual({})
  })

  it.each(['{', '{}', '[]', '{"assumed": 1}'])('that is broken is an error: %s', (content) => {
    expect(() => readAssumed([{ path: 'out/report.json', content }])).toThrow(
      /^out\/report\.json: .*generate the policies again/,
    )
  })

  it('names the targets when there is none of that id', () => {
    expect(() => targetById('x')).toThrow('targets are: istio')
  })
})

describe('Istio bounds its lists', () => {
  it('more rules than a policy may have become more policies', () => {
    const operations = Array.from({ length: 600 }, (_, at) => operation({ from: `shop/c${at}`, path: `/p${at}` }))
    const { files } = generate(operations, inventoryOf(operations), istio, { window: WINDOW })
    const result = replay(files, operations, { inventory: inventoryOf(operations), window: WINDOW })
    expect(result.still_allowed).toBe(6000)
    const policy = files.find(({ path }) => path === '1-allow/shop.orders.yaml')
    expect(parseAllDocuments(policy?.content ?? '')).toHaveLength(2)
  })

  it('more callers than a source list may have become more sources', () => {
    const operations = Array.from({ length: 1100 }, (_, at) => operation({ from: `shop/c${at}` }))
    const { files } = generate(operations, inventoryOf(operations), istio, { window: WINDOW })
    expect(files.find(({ path }) => path === '1-allow/shop.orders.yaml')?.content.match(/- source:/g)).toHaveLength(3)
    expect(replay(files, operations, { inventory: inventoryOf(operations), window: WINDOW }).still_allowed).toBe(11000)
  })
})

function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsIn) : []
}

/** Every string of the documents' specs; the cluster's name stands in an annotation, which nothing matches on. */
function specStrings(content: string): string[] {
  return parseAllDocuments(content).flatMap((document) => stringsIn((document.toJS() as { spec: unknown }).spec))
}

describe("Istio's guard of a namespace", () => {
  const observed = [
    operation({ from: 'shop/web' }),
    operation({ from: 'ops/reports' }),
    operation({ from: 'old/web', to: 'old/plain' }),
    operation({ from: 'old/legacy', to: 'old/plain', mtls: 'no' }),
  ]
  const known = inventoryOf(observed)
  const files = [
    // Without STRICT, which refuses plaintext before any rule.
    ...generate(observed, known, istio, { window: WINDOW }).files.filter(({ path }) => !path.startsWith('2-mtls/')),
    ...['shop', 'old'].map((namespace) => ({
      path: `${namespace}.yaml`,
      content: `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: open, namespace: ${namespace}}\nspec: {rules: [{}]}\n`,
    })),
  ]
  const says = (short: Parameters<typeof operation>[0]) => {
    const { still_allowed: allowed, newly_denied } = replay(files, [operation(short)], {
      inventory: known,
      window: WINDOW,
    })
    return allowed > 0 ? 'allowed' : newly_denied[0]?.reason
  }

  it('holds when somebody allows everything', () => {
    const guard = (rule: number) => `denied by ns[shop]-policy[cinch-guard]-rule[${rule}]`
    expect(says({ from: 'shop/new', path: '/new' })).toBe('allowed')
    expect(says({ from: 'ops/reports', path: '/new' })).toBe('allowed')
    expect(says({ from: 'ops/new' })).toBe(guard(1))
    expect(says({ from: 'ops/reports', principal: 'other.domain/ns/ops/sa/reports' })).toBe(guard(1))
    expect(says({ from: 'ops/new', principal: 'cluster.local/workload/x' })).toBe(guard(1))
    expect(says({ mtls: 'no' })).toBe(guard(0))
    expect(says({ from: 'ops/new', protocol: 'tcp', method: '', path: '' })).toBe(guard(1))
  })

  it('leaves plaintext alone where it was seen', () => {
    expect(says({ from: 'old/legacy', to: 'old/plain', mtls: 'no' })).toBe('allowed')
    expect(says({ from: 'shop/web', to: 'old/plain' })).toBe('denied by ns[old]-policy[cinch-guard]-rule[0]')
  })
})
