import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { normalPath } from '../../policy-gen/normal-path.ts'
import type { PolicyCase, PolicyFile } from '../../policy-gen/targets/target.ts'
import { readObjects } from '../../services/collector/sources/kubernetes-objects/read.ts'
import type { Inventory } from '../../services/model/inventory.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import { seeded } from '../policy-gen/support.ts'
import { required } from '../requirements.ts'
import { drive, type LabRequest, type Outcome } from './driver.ts'
import { CALLERS, type Lab, logLines, startLab } from './lab.ts'
import { mutant } from './mutants.ts'
import { objectsOf, openProduct, type Product } from './product.ts'
import { rbacFilters } from './rbac.ts'
import { labBinary } from './setup.ts'
import { attempts, normalTraffic, picker, strangePath } from './traffic.ts'
import { type Comparison, compare, observationOf, verdicts } from './verdicts.ts'

/** Requests of normal operation, from which the policies are generated. */
const NORMAL = 420
/** Attempts on which Envoy and replay are compared, some of which a proxy refuses before any decision. */
const ATTEMPTS = 2_600
const MUTANTS = 8
const ATTEMPTS_PER_MUTANT = 250
const STRANGER = 'cluster.local/ns/cinch-test/sa/stranger'

/*
 * What Cinch generates from what real proxies logged is enforced by a real Envoy, and what replay says of a request is
 * what that Envoy decides about it. The way from the rendered YAML to Envoy (`rbac.ts`) shares no code with replay.
 */
describe.skipIf(!labBinary() && !required('CINCH_REQUIRE_LAB'))('policies from observed traffic', () => {
  const pick = picker(seeded(20_260_101))
  let dir: string
  let lab: Lab
  let product: Product
  let principals: string[]
  let inventory: Inventory
  let files: PolicyFile[]
  let rendered: string
  let attempted: Comparison
  /** Of the observed requests, those that the service answered with 404, for which no permission is earned. */
  let missing: number
  /** Of the requests with which the policies were tried, those. */
  let refused: number
  const isMissing = ({ path }: LabRequest) => path.startsWith('/missing/')

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cinch-lab-decisions-'))
    lab = await startLab({ dir, callers: [...CALLERS, STRANGER] })
    product = await openProduct()
    principals = lab.callers.map(({ principal }) => principal)
    const objects = objectsOf(lab.callee, principals)
    await product.declare(objects)
    inventory = readObjects(
      objects.split('\n---\n').map((object) => JSON.parse(object)),
      '',
    )
  })
  afterAll(async () => {
    await lab?.stop()
    await product?.close()
    await rm(dir, { recursive: true, force: true })
  })

  const ask = async (yaml: string, requests: LabRequest[]): Promise<Outcome[]> => {
    await lab.enforce(rbacFilters(yaml, lab.callee))
    return await drive(lab, requests)
  }
  const replayed = (yaml: string, requests: readonly LabRequest[], asSent = false) =>
    verdicts(
      yaml,
      requests.map((request) => observationOf(request, lab.callee, asSent)),
      inventory,
    )

  test('normal traffic is read whole, with verified callers', async () => {
    const requests = normalTraffic(principals, pick, NORMAL)
    missing = requests.filter(isMissing).length
    const outcomes = await drive(lab, requests)
    expect(outcomes.every(({ decidedBy }) => decidedBy === 'service')).toBe(true)
    await logLines(lab.logs.callee.recommended, NORMAL)
    const loaded = await product.load('istio-json', lab.logs.callee.recommended)
    expect(loaded).toMatchObject({ accepted: NORMAL, rejected: 0 })
    const { operations } = await product.cinch.operations({})
    expect(operations.reduce((sum, { requests: count }) => sum + count, 0)).toBe(NORMAL)
    expect([...new Set(operations.map(({ source }) => source.evidence))]).toEqual(['verified'])
    expect([...new Set(operations.map(({ destination }) => destination.id))]).toEqual(['shop/orders'])
  })

  test('policies are generated from it, and Envoy allows what was observed', async () => {
    const { files: all, report } = await product.cinch.generate({ target: 'istio', window: {} })
    files = all
    rendered = files
      .filter(({ path }) => path.endsWith('.yaml'))
      .map(({ content }) => content)
      .join('---\n')
    // The one operation that the service does not have.
    expect(missing).toBeGreaterThan(0)
    expect(report.skipped.map(({ code, requests }) => [code, requests])).toEqual([['not_found', missing]])
    expect(report.loss.map(({ kind, done, path }) => `${kind} ${done} ${path}`)).toEqual([
      'mixed_segment widened /basket;jsessionid=/lines',
      'template_equals noted /prices;v=2/{int}',
    ])
    const requests = normalTraffic(principals, pick, NORMAL)
    const outcomes = await ask(rendered, requests)
    expect(outcomes.map(({ allowed }) => allowed)).toEqual(requests.map((request) => !isMissing(request)))
    refused = requests.filter(isMissing).length
    const replay = await product.cinch.replay(files, {})
    expect(replay).toMatchObject({ requests: NORMAL, still_allowed: NORMAL - missing, newly_denied: [], uncertain: [] })
    expect(replay.denied_not_found.map(({ requests: count }) => count)).toEqual([missing])
  })

  test('replay says of every attempt what Envoy decided', async () => {
    const requests = attempts(principals, pick, ATTEMPTS)
    const outcomes = await drive(lab, requests)
    const result = compare(requests, outcomes, replayed(rendered, requests))
    attempted = result
    expect(result.wrong).toEqual([])
    expect(result.uncertain).toEqual([])
    expect(result.allowed + result.denied).toBeGreaterThanOrEqual(2_000)
    expect(Math.min(result.allowed, result.denied)).toBeGreaterThanOrEqual(600)
    const asSent = compare(requests, outcomes, replayed(rendered, requests, true))
    expect(asSent.wrong).toEqual([])
    // Sent braces cannot be told from a shape's: these, and no others, stay open.
    expect(asSent.uncertain.filter((text) => !text.includes(' /{int} '))).toEqual([])
  })

  test('and so it does of the same requests as the callee logged them', async () => {
    const { allowed, denied } = attempted
    const lines = 2 * NORMAL + allowed + denied
    await logLines(lab.logs.callee.recommended, lines)
    const loaded = await product.load('istio-json', lab.logs.callee.recommended)
    expect(loaded).toMatchObject({ accepted: lines - NORMAL, rejected: 0 })
    const { operations } = await product.cinch.operations({})
    const sum = (of: (operation: ObservedOperation) => number) => operations.reduce((all, one) => all + of(one), 0)
    expect(sum((one) => one.requests)).toBe(2 * NORMAL - refused + allowed)
    expect(sum((one) => one.denied)).toBe(refused + denied)
    const replay = await product.cinch.replay(files, {})
    expect(replay).toMatchObject({ newly_denied: [], newly_allowed: [], uncertain: [] })
    const stillAllowed = 2 * NORMAL - refused + allowed - missing
    expect(replay).toMatchObject({ requests: lines, still_allowed: stillAllowed, still_denied: refused + denied })
  })

  test('the tests that ship with the policies hold at Envoy', async () => {
    const { content = '' } = files.find(({ path }) => path === 'tests.json') ?? {}
    const { cases } = JSON.parse(content) as { cases: PolicyCase[] }
    // The callee listens on two ports: what asks for a third cannot be sent.
    const served = cases.flatMap((one) => {
      const pair = lab.callee.ports.find(({ workloadPort }) => one.port === 0 || workloadPort === one.port)
      return pair ? [{ ...one, request: { ...one, caller: one.principal, servicePort: pair.servicePort } }] : []
    })
    const outcomes = await drive(
      lab,
      served.map(({ request }) => request),
    )
    const said = outcomes.map(({ allowed, decidedBy }) => (allowed ? 'allow' : decidedBy === 'rbac' ? 'deny' : 'proxy'))
    expect(served.filter((one, at) => one.expect !== said[at])).toEqual([])
    expect(
      new Set(cases.filter((one) => !served.some(({ request }) => request.port === one.port)).map(({ name }) => name)),
    ).toEqual(new Set(['another port']))
    expect(served.filter((one) => one.expect === 'allow').length).toBeGreaterThan(15)
    expect(served.filter((one) => one.expect === 'deny').length).toBeGreaterThan(15)
  })

  test.each(Array.from({ length: MUTANTS }, (_, at) => at + 1))(
    'changed policies, mutant %i: replay and Envoy agree',
    async (seed) => {
      const choose = picker(seeded(seed))
      const yaml = mutant(rendered, choose, 4)
      expect(yaml).not.toBe(rendered)
      const requests = attempts(principals, choose, ATTEMPTS_PER_MUTANT)
      const result = compare(requests, await ask(yaml, requests), replayed(yaml, requests))
      expect(result.wrong, yaml).toEqual([])
      expect(result.uncertain, yaml).toEqual([])
    },
  )

  test('the form of a path in which it is compared is the one that Envoy gives it', async () => {
    await lab.enforce([])
    const caller = principals[0] ?? ''
    const sent = [...new Set(Array.from({ length: 700 }, () => strangePath(pick)))]
    let refused = 0
    for (let at = 0; at < sent.length; at += 50) {
      const batch = sent.slice(at, at + 50)
      const answers = await Promise.all(batch.map((path) => lab.request({ caller, method: 'GET', path })))
      for (const [index, answer] of answers.entries()) {
        const path = batch[index] ?? ''
        if (answer.status === 400) refused++
        const seen = answer.status === 400 ? null : (JSON.parse(answer.body) as { path: string }).path
        const mine = normalPath(path)
        // Null also stands for what is not known.
        if (mine !== null || seen === null) expect(mine, path).toBe(seen)
        else expect(path).toMatch(/;[^/]*\\/)
      }
    }
    expect(sent.length - refused).toBeGreaterThan(400)
  })
})
