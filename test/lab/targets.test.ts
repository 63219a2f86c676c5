import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PolicyFile } from '../../policy-gen/targets/target.ts'
import { readObjects } from '../../services/collector/sources/kubernetes-objects/read.ts'
import type { Inventory } from '../../services/model/inventory.ts'
import { seeded } from '../policy-gen/support.ts'
import { required } from '../requirements.ts'
import { drive, type LabRequest, type Outcome } from './driver.ts'
import { CALLERS, type Lab, logLines, startLab } from './lab.ts'
import { objectsOf, openProduct, type Product } from './product.ts'
import { randomFilters } from './random-rbac.ts'
import { rbacFilters } from './rbac.ts'
import { filtersIn } from './rendered-filters.ts'
import { labBinary } from './setup.ts'
import { attempts, normalTraffic, picker } from './traffic.ts'
import { compare, observationOf, verdicts } from './verdicts.ts'

const NORMAL = 420
/** Of which some 500 are refused by a proxy before any decision. */
const ATTEMPTS = 11_000
const DECIDED_MIN = 10_000
const HAND_WRITTEN = 16
const ATTEMPTS_PER_FILE = 250
/** Names beside those of the callers that have habits: a stranger, and two that are almost theirs. */
const STRANGERS = [
  'cluster.local/ns/cinch-test/sa/stranger',
  'cluster.local/ns/shop/sa/frontend-admin',
  'cluster.local/ns/ops/sa/frontend',
]
const HTTP = 'envoy.filters.http.rbac'
const NETWORK = 'envoy.filters.network.rbac'

/*
 * Both targets that an Envoy enforces, generated from the same traffic and asked about the same requests: Istio's through
 * the translation of `rbac.ts`, Envoy's as the files stand, shadow and enforced. What replay says must be what each decides.
 */
describe.skipIf(!labBinary() && !required('CINCH_REQUIRE_LAB'))('targets that Envoy enforces', () => {
  const pick = picker(seeded(20_260_606))
  let dir: string
  let lab: Lab
  let product: Product
  let inventory: Inventory
  let requests: LabRequest[]
  let istio: PolicyFile[]
  let envoy: PolicyFile[]
  /** What `istio` enforced, and what the shadow rules of `envoy-rbac` said to the same requests. */
  let outcomes: Outcome[]
  let shadow: (boolean | undefined)[]

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cinch-lab-targets-'))
    lab = await startLab({ dir, callers: [...CALLERS, ...STRANGERS] })
    product = await openProduct()
    const principals = lab.callers.map(({ principal }) => principal)
    const objects = objectsOf(lab.callee, principals)
    await product.declare(objects)
    inventory = readObjects(
      objects.split('\n---\n').map((object) => JSON.parse(object)),
      '',
    )
    await drive(lab, normalTraffic(principals, pick, NORMAL))
    await logLines(lab.logs.callee.recommended, NORMAL)
    await product.load('istio-json', lab.logs.callee.recommended)
    istio = (await product.cinch.generate({ target: 'istio', window: {} })).files
    envoy = (await product.cinch.generate({ target: 'envoy-rbac', window: {} })).files
    // The lines of the log are found by their user agent.
    requests = attempts(principals, pick, ATTEMPTS).map((one, at) => ({
      ...one,
      headers: { 'user-agent': `case ${at}` },
    }))
    const watched = filtersIn(of('1-shadow/'), HTTP)
    await lab.enforce([...watched, ...rbacFilters(yamlOf(istio), lab.callee)])
    outcomes = await drive(lab, requests)
    shadow = await shadowResults(lab.logs.callee.recommended, requests.length, outcomes)
  }, 120_000)
  afterAll(async () => {
    await lab?.stop()
    await product?.close()
    await rm(dir, { recursive: true, force: true })
  })

  const of = (directory: string) => envoy.filter(({ path }) => path.startsWith(directory))
  const said = (files: string | readonly PolicyFile[], list = requests) =>
    verdicts(
      files,
      list.map((request) => observationOf(request, lab.callee)),
      inventory,
    )

  test('istio: replay says what Envoy decides, request by request', () => {
    const result = compare(requests, outcomes, said(yamlOf(istio)))
    expect(result.wrong).toEqual([])
    expect(result.uncertain).toEqual([])
    expect(result.allowed + result.denied).toBeGreaterThanOrEqual(DECIDED_MIN)
    expect(Math.min(result.allowed, result.denied)).toBeGreaterThanOrEqual(DECIDED_MIN / 4)
  })

  test('envoy-rbac, shadow rules: replay of the enforced files says what they would decide', () => {
    const asked = requests.flatMap((request, at) =>
      shadow[at] === undefined ? [] : [{ request, allowed: shadow[at] }],
    )
    const list = asked.map(({ request }) => request)
    const decided = asked.map(({ allowed }): Outcome => ({ status: 0, allowed, decidedBy: 'rbac' }))
    const result = compare(list, decided, said(of('2-enforce/'), list))
    expect(result.wrong).toEqual([])
    expect(result.uncertain).toEqual([])
    expect(result.allowed + result.denied).toBeGreaterThanOrEqual(DECIDED_MIN)
    // By themselves they keep nobody out.
    expect(new Set(said(of('1-shadow/'), list.slice(0, 100)))).toEqual(new Set(['allowed']))
  })

  test('envoy-rbac, enforced: replay says what Envoy decides, request by request', { timeout: 60_000 }, async () => {
    await lab.enforce(filtersIn(of('2-enforce/'), HTTP))
    const enforced = await drive(lab, requests)
    const result = compare(requests, enforced, said(of('2-enforce/')))
    expect(result.wrong).toEqual([])
    expect(result.uncertain).toEqual([])
    expect(result.allowed + result.denied).toBeGreaterThanOrEqual(DECIDED_MIN)
    expect(Math.min(result.allowed, result.denied)).toBeGreaterThanOrEqual(DECIDED_MIN / 4)
    // What it can say and Istio cannot: a parameter that is a part of a segment.
    const apart = requests.filter((_, at) => enforced[at]?.allowed !== outcomes[at]?.allowed)
    expect(apart.length).toBeGreaterThan(0)
    expect(apart.filter(({ caller, path }) => !(caller.endsWith('/sa/checkout') && path.endsWith('/lines')))).toEqual(
      [],
    )
    expect(requests.filter((_, at) => enforced[at]?.allowed && !outcomes[at]?.allowed)).toEqual([])
  })

  test.each(Array.from({ length: HAND_WRITTEN }, (_, at) => at + 1))(
    'filters as people write them, file %i: replay and Envoy agree',
    async (seed) => {
      const choose = picker(seeded(seed))
      const yaml = randomFilters(choose)
      await lab.enforce(filtersIn([{ content: yaml }], HTTP), { resumesSessions: false })
      const list = attempts(
        lab.callers.map(({ principal }) => principal),
        choose,
        ATTEMPTS_PER_FILE,
      )
      const result = compare(list, await drive(lab, list), said(yaml, list))
      expect(result.wrong, yaml).toEqual([])
      // A regular expression with a group is not evaluated, and nothing else is open.
      if (!/regex: .*\(/.test(yaml)) expect(result.uncertain, yaml).toEqual([])
    },
  )

  test('filters for connections decide as replay says, at ports at which only callers are named', async () => {
    const generated = await product.cinch.generate({ target: 'envoy-rbac', granularity: 'port', window: {} })
    const files = generated.files.filter(({ path }) => path.startsWith('2-enforce/'))
    const connections = filtersIn(files, NETWORK)
    expect(connections).toHaveLength(1)
    await lab.enforce([], { connections })
    const list = lab.callers.flatMap(({ principal }) =>
      lab.callee.ports.map(({ servicePort }) => ({ caller: principal, method: 'PUT', path: '/any', servicePort })),
    )
    // Where the callee closes the connection, the caller's proxy answers 503.
    const answers = (await drive(lab, list)).map(({ allowed, status }) =>
      allowed ? 'allowed' : status === 503 && 'denied',
    )
    expect(said(files, list)).toEqual(answers)
    expect(new Set(answers)).toEqual(new Set(['allowed', 'denied']))
    const watching = generated.files.filter(({ path }) => path.startsWith('1-shadow/'))
    await lab.enforce(filtersIn(watching, HTTP), { connections: filtersIn(watching, NETWORK) })
    expect((await drive(lab, list)).every(({ allowed }) => allowed)).toBe(true)
  })
})

function yamlOf(files: readonly PolicyFile[]): string {
  return files
    .filter(({ path }) => path.endsWith('.yaml'))
    .map(({ content }) => content)
    .join('---\n')
}

/** By request, what the shadow rules said; undefined where the callee refused it before any filter. */
async function shadowResults(
  log: string,
  count: number,
  outcomes: readonly Outcome[],
): Promise<(boolean | undefined)[]> {
  const reached = outcomes.filter(({ decidedBy }) => decidedBy !== 'proxy').length
  await logLines(log, reached, '"case ')
  const results: (boolean | undefined)[] = new Array(count)
  for (const line of (await readFile(log, 'utf8')).split('\n')) {
    const at = /"case (\d+)"/.exec(line)?.[1]
    if (at === undefined) continue
    const { rbac } = JSON.parse(line) as { rbac: Record<string, string> | null }
    const said = rbac?.['cinch_dry_run_shadow_engine_result']
    if (said !== undefined) results[Number(at)] = said === 'allowed'
  }
  return results
}
