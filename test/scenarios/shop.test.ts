import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Batch, type ShopOptions, shopScenario, shopTruth, type Truth } from './shop.ts'

const OPTIONS: ShopOptions = { seed: 7, end: new Date('2026-11-08T00:00:00Z'), days: 14, requests: 20_000 }
const DEFAULT_KEYS =
  'start_time route_name method path protocol response_code response_flags response_code_details connection_termination_details bytes_received bytes_sent duration upstream_service_time x_forwarded_for user_agent request_id authority upstream_host upstream_cluster upstream_local_address downstream_local_address downstream_remote_address requested_server_name upstream_transport_failure_reason'
    .split(' ')
    .sort()
const RECOMMENDED_KEYS =
  'certificate_end certificate_hash destination_principal downstream_direct_remote_address grpc_status jwt original_path rbac source_principal tls_version traceparent x_forwarded_client_cert'.split(
    ' ',
  )

// biome-ignore lint/suspicious/noExplicitAny: lines are parsed as an outsider would, without our types
type Line = any

function drain(options: ShopOptions): { batches: Batch[]; truth: Truth; lines: Line[] } {
  const generator = shopScenario(options)
  const batches: Batch[] = []
  let step = generator.next()
  for (; !step.done; step = generator.next()) batches.push(step.value)
  const lines = batches.flatMap(({ cluster, bytes }) =>
    bytes
      .toString('utf8')
      .trimEnd()
      .split('\n')
      .map((line) => ({ ...JSON.parse(line), log: cluster })),
  )
  return { batches, truth: step.value, lines }
}

const digest = (options: ShopOptions) => {
  const hash = createHash('sha256')
  const { batches, truth } = drain(options)
  for (const { cluster, bytes } of batches) hash.update(cluster).update(bytes)
  return hash.update(JSON.stringify(truth)).digest('hex')
}

const shop = drain(OPTIONS)
const isOutbound = (line: Line) =>
  /^outbound\|/.test(line.upstream_cluster ?? '') && line.requested_server_name === null
const isGateway = (line: Line) =>
  /:(8443)$/.test(line.downstream_local_address) || line.upstream_cluster?.includes('|443|')

describe('the lines', () => {
  it('are the same bytes and the same truth for the same options, and others for another seed', () => {
    const small = { ...OPTIONS, days: 2, requests: 5000 }
    expect(digest(small)).toBe(digest({ ...small }))
    expect(digest({ ...small, seed: 8 })).not.toBe(digest(small))
  })

  it('carry exactly the recommended keys, typed as Istio types them', () => {
    const keys = [...DEFAULT_KEYS, ...RECOMMENDED_KEYS, 'log'].sort()
    for (const line of shop.lines) expect(Object.keys(line).sort()).toEqual(keys)
    for (const line of shop.lines) {
      expect(line.start_time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      for (const key of ['response_code', 'bytes_received', 'bytes_sent', 'duration'])
        expect(line[key]).toBeTypeOf('number')
      expect(['string', 'object']).toContain(typeof line.upstream_service_time)
      expect(line.request_id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    }
  })

  it('carry the 24 default keys and nothing of the caller in the default format', () => {
    const { lines } = drain({ ...OPTIONS, days: 1, requests: 5000, format: 'default' })
    for (const line of lines) expect(Object.keys(line).sort()).toEqual([...DEFAULT_KEYS, 'log'].sort())
    expect(lines.some(({ path }) => path === '/assets/logo.svg')).toBe(true)
    expect(JSON.stringify(lines)).not.toContain('spiffe://')
  })

  it('end in about the order in which they are written', () => {
    for (const log of ['east', 'west']) {
      const ends = shop.lines
        .filter((line) => line.log === log)
        .map((line) => Date.parse(line.start_time) + line.duration)
      let latest = 0
      for (const end of ends) {
        expect(end).toBeGreaterThan(latest - 10_000)
        latest = Math.max(latest, end)
      }
    }
  })

  it('stay in the window and follow the day', () => {
    const { since, until } = shop.truth.window
    for (const { start_time } of shop.lines) expect(start_time >= since && start_time < until).toBe(true)
    const atHour = (hour: string) =>
      shop.lines.filter((line) => line.start_time.slice(11, 13) === hour && isGateway(line)).length
    expect(atHour('20')).toBeGreaterThan(4 * atHour('03'))
  })

  it('tell service ports and workload ports apart', () => {
    const stock = shop.lines.find((line) => line.requested_server_name?.includes('pricing.catalog'))!
    expect(stock.requested_server_name).toBe('outbound_.9090_._.pricing.catalog.svc.cluster.local')
    expect(stock.upstream_cluster).toBe('inbound|50051||')
    expect(stock.downstream_local_address).toMatch(/:50051$/)
  })
})

describe('the truth', () => {
  it('counts lines as written', () => {
    expect(Object.values(shop.truth.lines).reduce((a, b) => a + b)).toBe(shop.lines.length)
    expect(Math.abs(shop.truth.calls_total - OPTIONS.requests)).toBeLessThan(OPTIONS.requests * 0.05)
  })

  /** What a line tells of a call, in words that the truth also has: log, caller, callee, port, method, refused. */
  it('equals an independent count over the parsed lines', () => {
    const fromLines = new Map<string, number>()
    for (const line of shop.lines.filter((line) => !isOutbound(line))) {
      const denied = /^rbac_access_denied/.test(line.response_code_details)
      const service =
        line.requested_server_name ?? (line.upstream_cluster === 'PassthroughCluster' ? line.authority : '')
      const port = line.upstream_cluster === 'PassthroughCluster' ? '' : line.downstream_local_address.split(':').pop()
      add(fromLines, [line.log, line.source_principal ?? '', service, port, line.method, denied])
    }
    const fromTruth = new Map<string, number>()
    for (const call of shop.truth.calls) {
      if (call.source.workload === 'istio-egressgateway') continue
      const { destination: to, source: from } = call
      const direct = to.kind === 'external'
      const ingress = to.workload === 'istio-ingressgateway'
      const plain = !call.mtls && !ingress && !direct
      const sni = `outbound_.${call.service_port}_._.${to.service}.svc.cluster.local`
      const service = ingress ? 'www.shop.example' : direct ? to.workload : plain ? '' : sni
      const principal = from.principal && call.mtls ? `spiffe://${from.principal}` : ''
      const key = [
        direct ? from.cluster : to.cluster,
        principal,
        service,
        direct ? '' : `${call.workload_port}`,
        call.method,
      ]
      if (call.requests) add(fromTruth, [...key, false], call.requests)
      if (call.denied) add(fromTruth, [...key, true], call.denied)
    }
    expect(Object.fromEntries(fromLines)).toEqual(Object.fromEntries(fromTruth))
  })

  it('has a template for every path, and each template was used', () => {
    const inLines = new Set(
      shop.lines.filter((line) => !isOutbound(line)).map((line) => `${line.method} ${line.path.split('?')[0]}`),
    )
    for (const call of shop.truth.calls) {
      const pattern = new RegExp(
        `^${call.method} ${call.path.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{\w+\}/g, '[^/]+')}$`,
      )
      expect(
        [...inLines].some((line) => pattern.test(line)),
        `${call.method} ${call.path}`,
      ).toBe(true)
    }
  })

  it('counts a call that both sides logged once', () => {
    const both = drain({ ...OPTIONS, days: 2, requests: 6000, bothSides: 1 })
    const none = drain({ ...OPTIONS, days: 2, requests: 6000, bothSides: 0 })
    const twice = both.truth.calls.filter(({ reporters }) => reporters.includes('source') && reporters.length > 1)
    const calls = twice.reduce((sum, call) => sum + call.requests + call.denied, 0)
    expect(both.lines.filter(isOutbound).length).toBe(calls)
    expect(none.lines.filter(isOutbound).length).toBe(0)
    expect(calls).toBeGreaterThan(2000)
  })

  it('lets both sides of a call be joined by the connection', () => {
    const { lines } = drain({ ...OPTIONS, days: 2, requests: 6000, bothSides: 1 })
    const inbound = new Map(
      lines
        .filter((line) => !isOutbound(line))
        .map((line) => [`${line.downstream_direct_remote_address} ${line.traceparent}`, line]),
    )
    const outbound = lines.filter((line) => isOutbound(line) && !line.upstream_host.endsWith(':15443'))
    expect(outbound.length).toBeGreaterThan(2000)
    for (const line of outbound) {
      const other = inbound.get(`${line.upstream_local_address} ${line.traceparent}`)
      expect(other?.downstream_local_address).toBe(line.upstream_host)
      expect(other?.path).toBe(line.path)
    }
  })

  it('says whether the month ended in the window', () => {
    expect(shop.truth.calendar.month_ends_in_window).toEqual(['2026-10-31'])
    expect(shop.truth.declared.find(({ journey }) => journey === 'month-end')?.seen).toBe(true)
    const middle = shopTruth({ ...OPTIONS, end: new Date('2026-11-20T00:00:00Z'), days: 7 })
    expect(middle.calendar.month_ends_in_window).toEqual([])
    const declared = middle.declared.find(({ journey }) => journey === 'month-end')!
    expect(declared.seen).toBe(false)
    expect(declared.operations).toContain('reports > ledger POST /shop.ledger.v1.Ledger/CloseMonth')
  })
})

describe('options', () => {
  it.each([
    [{ seed: 0.5 }, /seed/],
    [{ days: 0 }, /days/],
    [{ requests: 10 }, /requests/],
    [{ end: new Date('never') }, /end/],
    [{ bothSides: 2 }, /bothSides/],
  ])('are refused at once when out of range: %o', (wrong, message) => {
    expect(() => shopScenario({ ...OPTIONS, ...wrong })).toThrow(message)
  })
})

function add(counts: Map<string, number>, key: unknown[], count = 1): void {
  counts.set(key.join(' '), (counts.get(key.join(' ')) ?? 0) + count)
}
