import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { drive, type LabRequest } from './driver.ts'
import { type Lab, logLines, startLab } from './lab.ts'
import { rbacFilters } from './rbac.ts'
import { labBinary } from './setup.ts'

const binary = labBinary()
const { CINCH_REQUIRE_LAB } = process.env
if (!binary && CINCH_REQUIRE_LAB !== '1') console.warn('lab tests are skipped: run `npm run lab:setup` to have them')

test.runIf(CINCH_REQUIRE_LAB === '1')('the lab is set up, as CINCH_REQUIRE_LAB=1 demands', () => {
  expect(binary, 'run `npm run lab:setup`').toBeTypeOf('string')
})

const fixture = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8')
const ISTIO_TEXT_LINE =
  /^\[(?<time>\S+)\] "(?<method>\S+) (?<path>\S+) HTTP\/1.1" (?<code>\d+) (?<flags>\S+) (?<details>\S+) (\S+) "([^"]*)" \d+ \d+ \d+ \S+ "([^"]*)" "([^"]*)" "(?<id>[^"]*)" "(?<authority>[^"]*)" "(?<upstream>[^"]*)" (?<cluster>\S+) (?<upstreamLocal>\S+) (?<local>\S+) (?<remote>\S+) (?<sni>\S+) (?<route>\S+)$/

type TextField =
  | 'method'
  | 'path'
  | 'code'
  | 'details'
  | 'id'
  | 'upstream'
  | 'cluster'
  | 'upstreamLocal'
  | 'local'
  | 'sni'

function parseText(line: string): Record<TextField, string> | undefined {
  return ISTIO_TEXT_LINE.exec(line)?.groups as Record<TextField, string> | undefined
}

describe.skipIf(!binary)('the lab', () => {
  let dir: string
  let lab: Lab
  /** Numbers the requests whose lines are read: the user agent is in every format, whatever the path says. */
  let sent = 0

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cinch-lab-test-'))
    lab = await startLab({ dir })
  }, 60_000)
  afterAll(async () => {
    await lab?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  const principal = (account: string) => {
    const found = lab.callers.find((caller) => caller.principal.endsWith(`/sa/${account}`))
    if (!found) throw new Error(`no caller ${account}`)
    return found.principal
  }

  /** Sends a request and gives what the callee's sidecar (`paths`: another's) wrote of it in each format. */
  async function logged(request: LabRequest, paths = lab.logs.callee) {
    const agent = `test/${++sent} `
    const response = await lab.request({ ...request, headers: { ...request.headers, 'user-agent': agent } })
    const line = async (path: string) => (await logLines(path, 1, agent.trim()))[0]!
    return {
      response,
      agent,
      text: parseText(await line(paths.text)),
      json: JSON.parse(await line(paths.json)),
      recommended: JSON.parse(await line(paths.recommended)),
    }
  }

  test('every caller is named in the recommended format, at its own address, over mutual TLS', async () => {
    for (const caller of lab.callers) {
      const { recommended } = await logged({ caller: caller.principal, method: 'GET', path: '/who' })
      expect(recommended).toMatchObject({
        source_principal: `spiffe://${caller.principal}`,
        destination_principal: 'spiffe://cluster.local/ns/shop/sa/orders',
        tls_version: 'TLSv1.3',
        upstream_cluster: 'inbound|8080||',
        downstream_local_address: `${lab.callee.podAddress}:8080`,
        requested_server_name: 'outbound_.80_._.orders.shop.svc.cluster.local',
        path: '/who',
        response_code: 200,
      })
      expect(recommended.downstream_direct_remote_address.split(':')[0]).toBe(caller.podAddress)
      expect(recommended.x_forwarded_client_cert).toContain(`;URI=spiffe://${caller.principal}`)
      expect(recommended.certificate_hash).toMatch(/^[0-9a-f]{64}$/)
      expect(Date.parse(recommended.certificate_end)).toBeGreaterThan(Date.now())
    }
  })

  test('the default formats are Istio’s, and both ends join by connection and by request id', async () => {
    const caller = principal('frontend')
    const request = { caller, method: 'GET', path: '/join?x=1', servicePort: 9000 }
    const { text: inbound, json, agent } = await logged(request)
    const [line] = await logLines(lab.logs.callers[caller]!.text, 1, agent.trim())
    const outbound = parseText(line!)
    const cluster = 'outbound|9000||orders.shop.svc.cluster.local'
    expect(outbound).toMatchObject({ path: '/join?x=1', cluster, sni: '-' })
    expect(inbound).toMatchObject({
      path: '/join?x=1',
      cluster: 'inbound|9090||',
      id: outbound?.id,
      remote: outbound?.upstreamLocal,
      local: outbound?.upstream,
    })
    expect(Object.keys(json)).toHaveLength(24)
    expect(json).toMatchObject({ request_id: inbound?.id, path: '/join?x=1', response_code: 200 })
  })

  test('a client can forge the path of the default formats, not the one of the recommended format', async () => {
    const headers = { 'x-envoy-original-path': '/harmless' }
    const { text, json, recommended } = await logged({
      caller: principal('frontend'),
      method: 'GET',
      path: '/secrets',
      headers,
    })
    expect([text?.path, json.path]).toEqual(['/harmless', '/harmless'])
    expect(recommended).toMatchObject({ path: '/secrets', original_path: '/harmless' })
  })

  test('without a client certificate there is no connection', async () => {
    const failure = await new Promise<Error>((resolve, reject) => {
      const socket = connect({ host: lab.callee.podAddress, port: 8080, rejectUnauthorized: false }, () => {
        socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
      })
      socket.once('data', () => reject(new Error('the callee answered a client without a certificate')))
      socket.once('error', resolve)
    })
    expect(failure.message).toMatch(/certificate required/)
  })

  describe('enforces', () => {
    beforeAll(async () => {
      await lab.enforce(rbacFilters(fixture('orders.yaml'), lab.callee))
    })

    type Case = [account: string, method: string, path: string, port: number, decision: 'allow' | 'deny', why: string]
    const cases = JSON.parse(fixture('cases.json')) as Case[]
    test.each(cases)('%s %s %s on %i: %s (%s)', async (account, method, path, port, decision) => {
      const servicePort = port === 8080 ? 80 : 9000
      const outcome = await lab.request({ caller: principal(account), method, path, servicePort })
      expect(outcome).toMatchObject({
        allowed: decision === 'allow',
        decidedBy: decision === 'allow' ? 'service' : 'rbac',
      })
    })

    test('and says so in every format', async () => {
      const denied = await logged({ caller: principal('reports'), method: 'DELETE', path: '/orders/1' })
      const details = 'rbac_access_denied_matched_policy[none]'
      expect(denied.text).toMatchObject({ code: '403', details, upstream: '-' })
      expect(denied.json).toMatchObject({ response_code: 403, response_code_details: details })
      expect(denied.recommended.rbac).toEqual({ enforced_engine_result: 'denied' })
      const allowed = await logged({ caller: principal('frontend'), method: 'GET', path: '/orders/1' })
      expect(allowed.recommended.rbac).toEqual({
        enforced_effective_policy_id: 'ns[shop]-policy[orders]-rule[0]',
        enforced_engine_result: 'allowed',
      })
      const explicit = await logged({
        caller: principal('backup'),
        method: 'GET',
        path: '/secrets/1',
        servicePort: 9000,
      })
      expect(explicit.text).toMatchObject({
        details: 'rbac_access_denied_matched_policy[ns[shop]-policy[no-backup-of-secrets]-rule[0]]',
      })
    })

    test('2,000 requests as an exact-match oracle of the test expects', async () => {
      const allow = new Set(['frontend GET /orders', 'frontend POST /orders'])
      const accounts = ['frontend', 'checkout', 'reports', 'backup']
      const methods = ['GET', 'POST', 'DELETE']
      const paths = ['/orders', '/', '/order', '/orderss', '/orders/', '//orders', '/orders%20']
      const keys = Array.from({ length: 2_000 }, (_, index) => {
        const pick = (list: string[], step: number) => list[Math.floor(index / step) % list.length]!
        return [pick(accounts, 1), pick(methods, 4), pick(paths, 12)] as const
      })
      const requests = keys.map(([account, method, path]) => ({ caller: principal(account), method, path }))
      const outcomes = await drive(lab, requests)
      const expected = keys.map((key) => allow.has(key.join(' ')))
      expect(outcomes.map(({ allowed }) => allowed)).toEqual(expected)
      expect(expected.filter(Boolean).length).toBeGreaterThan(40)
    }, 60_000)

    test('nothing in a dry run, which only reports', async () => {
      await lab.enforce(rbacFilters(dryRun(fixture('orders.yaml')), lab.callee))
      const { response, recommended } = await logged({
        caller: principal('reports'),
        method: 'DELETE',
        path: '/orders/1',
      })
      expect(response.allowed).toBe(true)
      expect(recommended.rbac).toMatchObject({ istio_dry_run_allow_shadow_engine_result: 'denied' })
    })

    test('not what Envoy itself refuses; the error carries its words', async () => {
      const [filter] = rbacFilters(fixture('orders.yaml'), lab.callee)
      const broken = { ...filter!, typed_config: { ...filter!.typed_config, rulez: {} } }
      await expect(lab.enforce([broken])).rejects.toThrow(/did not start[\s\S]*rulez/)
      // Istio's validation lets an empty segment pass in a template; Envoy does not.
      const empty = fixture('orders.yaml').replace('"/carts/*"', '"//carts/{*}"')
      await expect(lab.enforce(rbacFilters(empty, lab.callee))).rejects.toThrow(/did not start/)
      await lab.enforce([])
      const outcome = await lab.request({ caller: principal('reports'), method: 'DELETE', path: '/orders/1' })
      expect(outcome.allowed).toBe(true)
    })
  })
})

function dryRun(yaml: string): string {
  return yaml.replaceAll('metadata:\n', "metadata:\n  annotations:\n    istio.io/dry-run: 'true'\n")
}
