import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestStore, type TestStore } from '../support.ts'

/*
 * Which side a line is of, and what its ends are, where the line itself is all there is: written as Envoys of `test/lab/mesh` wrote
 * them, with the addresses of a Pod network.
 */
let store: TestStore
beforeAll(async () => {
  store = await openTestStore('sides')
}, 60_000)
afterAll(() => store.close())

/** Of an ingress gateway, and what users sent; a test changes what it is about. */
const LINE = {
  ...{
    start_time: '2026-11-22T18:46:18.835Z',
    method: 'GET',
    path: '/account',
    protocol: 'HTTP/1.1',
    response_code: 401,
  },
  ...{
    response_flags: '-',
    response_code_details: 'jwt_authn_access_denied{Jwt_is_missing}',
    authority: 'shop.example',
  },
  ...{
    upstream_cluster: 'outbound|80||frontend.shop.svc.cluster.local',
    upstream_host: null,
    upstream_local_address: null,
  },
  ...{
    downstream_local_address: '10.0.0.2:8443',
    downstream_remote_address: '198.51.100.7:40000',
    original_path: null,
  },
  ...{ downstream_direct_remote_address: '198.51.100.7:40000', x_forwarded_for: '203.0.113.66,198.51.100.7' },
  ...{
    requested_server_name: 'shop.example',
    tls_version: 'TLSv1.3',
    source_principal: null,
    destination_principal: null,
  },
}
type Line = { [Key in keyof typeof LINE]?: string | number | null }

const COLUMNS = `toString(reporter) AS reporter, toString(enforcement_point) AS point, toString(decision) AS decision, toString(source_evidence) AS evidence,
  replaceOne(toString(source_address), '::ffff:', '') AS source, replaceOne(toString(destination_address), '::ffff:', '') AS destination,
  destination_service AS service, workload_port AS port, replaceOne(toString(client_address), '::ffff:', '') AS client, toString(protocol) AS protocol`

async function factOf(cluster: string, line: Line, source = 'istio-json', wrap = (text: string) => text) {
  const text = `${wrap(JSON.stringify({ ...LINE, ...line }))}\n`
  expect(await store.file(source, text, cluster)).toMatchObject({ accepted: 1, rejected: 0 })
  return (await store.rows(`SELECT ${COLUMNS} FROM request WHERE cluster = {cluster:String}`, { cluster }))[0]
}

test('what an ingress gateway refuses is told by the gateway, of the user who asked', async () => {
  expect(await factOf('refused at the gateway', {})).toMatchObject({
    ...{ reporter: 'gateway', point: 'gateway', decision: 'denied', source: '198.51.100.7' },
    ...{ destination: '10.0.0.2', service: 'frontend.shop' },
  })
})

test('what a sidecar could not connect is its application’s: no application speaks TLS to its own sidecar', async () => {
  const plain = { tls_version: null, requested_server_name: null, downstream_local_address: '10.96.0.9:80' }
  const own = { downstream_remote_address: '10.0.0.5:40000', downstream_direct_remote_address: '10.0.0.5:40000' }
  const failed = {
    response_code: 503,
    response_flags: 'UF',
    response_code_details: 'upstream_reset_before_response_started',
  }
  expect(await factOf('unconnected', { ...plain, ...own, ...failed })).toMatchObject({
    ...{ reporter: 'source', point: 'sidecar', decision: 'allowed', service: 'frontend.shop' },
  })
})

test('a user’s address is the direct peer’s, whatever the header says; inside it is what the last proxy added', async () => {
  const served = {
    upstream_host: '10.0.0.9:8080',
    upstream_local_address: '10.0.0.2:51000',
    response_code_details: 'via_upstream',
  }
  expect(await factOf('user', served)).toMatchObject({ reporter: 'gateway', client: '198.51.100.7' })
  // An edge that believes the header: its own idea of the client is the forger's.
  const credulous = { ...served, downstream_remote_address: '203.0.113.66:0', x_forwarded_for: '203.0.113.66' }
  expect(await factOf('credulous', credulous)).toMatchObject({ client: '198.51.100.7', source: '198.51.100.7' })
  const inside = {
    ...{
      upstream_cluster: 'inbound|8080||',
      downstream_local_address: '10.0.0.9:8080',
      upstream_host: '10.0.0.9:8080',
    },
    ...{ downstream_direct_remote_address: '10.0.0.2:51000', downstream_remote_address: '198.51.100.7:0' },
  }
  expect(await factOf('inside', { ...served, ...inside })).toMatchObject({
    reporter: 'destination',
    client: '198.51.100.7',
  })
})

const CONNECTION = {
  ...{ method: null, path: null, protocol: null, response_code: 0, response_code_details: null, authority: null },
  ...{ x_forwarded_for: null, tls_version: null, requested_server_name: null },
}

test('a connection that no filter chain takes was refused by the listener that it came to', async () => {
  const refused = { response_flags: 'NR', response_code_details: 'filter_chain_not_found', upstream_cluster: null }
  expect(
    await factOf('no chain', { ...CONNECTION, ...refused, downstream_local_address: '10.0.0.9:8080' }),
  ).toMatchObject({ reporter: 'destination', decision: 'denied', destination: '10.0.0.9', port: 8080, protocol: 'tcp' })
})

test('a transit gateway tells of a flow between addresses, of nobody in particular', async () => {
  const name = 'outbound_.80_._.payments.pay.svc.cluster.local'
  const passed = {
    upstream_cluster: name,
    requested_server_name: name,
    upstream_host: '10.1.0.9:8080',
    upstream_local_address: '10.1.0.2:51000',
  }
  expect(await factOf('transit', { ...CONNECTION, ...passed })).toMatchObject({
    ...{ reporter: 'flow', point: 'transit', evidence: 'none', service: 'payments.pay', protocol: 'tcp' },
  })
})

test.each([
  ['service.name', 'claimed'],
  ['k8s.deployment.name', 'address'],
])('OpenTelemetry: a caller that %s names is %s', async (key, evidence) => {
  const wrap = (line: string) => {
    const attributes = Object.entries(JSON.parse(line) as Record<string, unknown>)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => ({ key: name, value: { stringValue: String(value) } }))
    const resource = {
      attributes: [
        { key, value: { stringValue: 'web' } },
        { key: 'service.namespace', value: { stringValue: 'shop' } },
      ],
    }
    return JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ logRecords: [{ attributes }] }] }] })
  }
  const own = {
    downstream_local_address: '10.96.0.9:80',
    downstream_direct_remote_address: '10.0.0.5:40000',
    tls_version: null,
  }
  const served = {
    upstream_host: '10.0.0.9:8080',
    upstream_local_address: '10.0.0.5:51000',
    response_code_details: 'via_upstream',
  }
  const fact = await factOf(`otlp ${key}`, { ...own, ...served, requested_server_name: null }, 'otlp-logs', wrap)
  expect(fact).toMatchObject({ reporter: 'source', evidence })
})
