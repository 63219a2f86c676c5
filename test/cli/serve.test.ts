import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { readFiles } from '../../services/cli/policy-files.ts'
import type { Graph } from '../../services/model/graph.ts'
import { expectError, runCli, runHere, type Served, scratch, startServe } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'
import { accessLine, callLine } from '../support/telemetry.ts'

const room = scratch('serve')
const running: Served[] = []
const serve = async (store: string, args: string[] = []) => {
  const served = await startServe(store, args)
  running.push(served)
  return served
}
const stopAll = async () => {
  for (const served of running.splice(0)) await served.stop('SIGKILL')
}
afterAll(async () => {
  await stopAll()
  room.close()
})

describe('the commands, while the service runs', () => {
  const store = newStore(room.path('store'))
  let served: Served
  beforeAll(async () => {
    served = await serve(store)
    // Several megabytes: more than any body that is held in memory as a whole by default.
    const lines = Array.from({ length: 4000 }, (_, n) =>
      accessLine({ path: `/orders/${n}`, from: n % 2 ? 'shop/web' : 'shop/cart' }),
    )
    writeFileSync(room.path('lines.log'), `${lines.join('\n')}\n`)
    writeFileSync(room.path('cut.log.gz'), gzipSync(lines.join('\n')).subarray(0, 20_000))
  })
  afterAll(stopAll)

  const through = async (args: string[]) => {
    const ran = await runHere([...args, '--json'], { store })
    expect(ran.stderr).toContain(`the store is served by process ${served.child.pid}: asking its API at ${served.url}`)
    return ran
  }

  test('it prints where it is, on loopback, with a token that opens it', async () => {
    expect(served.stdout()).toBe(`Cinch is at ${served.url}/#token=${served.token}\n`)
    expect(served.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect((await served.get('/api/v1/sources')).status).toBe(200)
  })

  test('ingest sends a file of any size; again it adds nothing; grown, its tail', async () => {
    const first = await through(['ingest', '--source', 'istio-json', room.path('lines.log')])
    expect(first.json()).toMatchObject({ read: 4000, accepted: 4000, rejected: 0, skipped: 0 })
    const again = await through(['ingest', '--source', 'istio-json', room.path('lines.log')])
    expect(again.json()).toMatchObject({ read: 0, accepted: 0, rejected: 0 })
    writeFileSync(room.path('grown.log.gz'), gzipSync(`${readFileSync(room.path('lines.log'), 'utf8')}no access log\n`))
    const grown = await through(['ingest', '--source', 'istio-json', room.path('grown.log.gz')])
    expect(grown.json()).toMatchObject({ read: 1, accepted: 0, rejected: 1 })
    expect(grown.code).toBe(1)
  })

  test("a file that cannot be read is that error, not the server's", async () => {
    for (const name of ['absent.log', '.', 'cut.log.gz']) {
      const ran = await runHere(['ingest', '--source', 'istio-json', room.path(name)], { store })
      expect(ran.stderr).toMatch(/^error bad_file: /m)
      expect(ran.code).toBe(2)
    }
  })

  test('standard input, and traces that are paired at once', async () => {
    const ran = await runCli(['ingest', '--source', 'otlp-traces', '--json', '-'], {
      store,
      input: callLine('a', 'b', { calls: 3 }),
    })
    expect(ran.json()).toMatchObject({ read: 6, accepted: 6 })
    const graph = (await through(['graph'])).json<Graph>()
    expect(graph.edges.map(({ source, destination, requests }) => ({ source, destination, requests }))).toEqual([
      { source: 'shop/a', destination: 'shop/b', requests: 3 },
      { source: 'spiffe://cluster.local/ns/shop/sa/cart', destination: 'shop/orders', requests: 2000 },
      { source: 'spiffe://cluster.local/ns/shop/sa/web', destination: 'shop/orders', requests: 2000 },
    ])
  })

  test('sources, rejects, doctor, senders and migrate', async () => {
    const { sources } = (await through(['sources'])).json<{ sources: { id: string; facts: number }[] }>()
    expect(sources.find((source) => source.id === 'istio-json')?.facts).toBe(4000)
    expect((await through(['rejects'])).json()).toMatchObject({ reasons: [{ reason: 'not_json', lines: 1 }] })
    expect((await through(['doctor', '--source', 'istio-json'])).json()).toMatchObject({
      senders: [{ sender: 'operator' }],
    })
    const { token } = (await through(['senders', 'add', 'east', '--source', 'istio-json'])).json<{ token: string }>()
    const send = () =>
      fetch(`${served.url}/ingest/istio-json`, {
        method: 'POST',
        body: accessLine({ from: 'shop/east' }),
        headers: { authorization: `Bearer ${token}` },
      })
    expect((await send()).status).toBe(200)
    expect((await through(['senders'])).json()).toMatchObject({ senders: [{ id: 'east', evidence: 'verified' }] })
    expect((await through(['senders', 'revoke', 'east'])).json()).toEqual({ revoked: 'east' })
    expect((await send()).status).toBe(401)
    expect((await through(['migrate'])).json()).toEqual({ applied: [] })
  })

  test('errors of the API are errors of the command', async () => {
    expect((await runHere(['graph', '--since', 'yesterday'], { store })).stderr).toContain('error bad_time: ')
    const revoke = await runHere(['senders', 'revoke', 'nobody'], { store })
    expect(revoke.stderr).toContain('error not_found: ')
    expect(revoke.code).toBe(2)
  })

  test('generate writes here, and replay sends the files there', async () => {
    const out = room.path('policies')
    const naming = ['--evidence', 'claimed', '--principal', 'cluster.local/ns/{namespace}/sa/{workload}']
    const generated = await through([
      'policies',
      'generate',
      '--out',
      out,
      '--selector',
      'app={workload}',
      ...naming,
      '--until',
      '2026-11-06',
    ])
    expect(generated.code).toBe(0)
    expect(readFiles(out).map((file) => file.path)).toContain('1-allow/shop.orders.yaml')
    const replayed = await through(['policies', 'replay', out, '--until', '2026-11-06'])
    expect(replayed.json()).toMatchObject({ newly_allowed: [], newly_denied: [] })
    expect(replayed.code).toBe(0)
  })

  test('SIGTERM ends it in order, and the store opens again with everything in it', async () => {
    expect(await served.stop()).toEqual({ code: 0, signal: null })
    running.splice(0)
    expect(existsSync(room.path('store', 'holder.json'))).toBe(false)
    const ran = await runCli(['graph', '--json'], { store })
    expect(ran.stderr).toBe('')
    expect(ran.json<Graph>().edges.reduce((sum, edge) => sum + edge.requests, 0)).toBe(4004)
  })
})

describe('serve', () => {
  afterEach(stopAll)

  test('--roles api takes no telemetry, --roles collector answers no questions, and says so', async () => {
    const store = newStore(room.path('roles'))
    const api = await serve(store, ['--roles', 'api,analyzer'])
    expect((await api.get('/api/v1/graph')).status).toBe(200)
    const refused = await fetch(`${api.url}/ingest/istio-json`, {
      method: 'POST',
      body: accessLine(),
      headers: { authorization: `Bearer ${api.token}` },
    })
    expect(refused.status).toBe(404)
    expect(await refused.json()).toMatchObject({ error: { next: expect.stringContaining('role collector') } })
    await api.stop()
    const collector = await serve(store, ['--roles', 'collector'])
    expect((await collector.get('/api/v1/graph')).status).toBe(404)
    expect((await collector.get('/healthz')).status).toBe(200)
    const ingest = await runHere(['ingest', '--source', 'istio-json', '--json', writeLine('one.log')], { store })
    expect(ingest.json()).toMatchObject({ accepted: 1 })
    const graph = await runHere(['graph'], { store })
    expect(graph.stderr).toContain('this process does not serve the role api')
    expect(await collector.stop('SIGINT')).toEqual({ code: 0, signal: null })
  })

  test('a port that is in use is an error with the next step', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as AddressInfo
    const store = room.path('port')
    const ran = await runCli(['serve', '--port', String(port)], { store })
    other.close()
    expectError(ran, 'bad_option', 2)
    expect(ran.stderr).toContain(`127.0.0.1:${port}: EADDRINUSE`)
    expect(existsSync(room.path('port', 'holder.json'))).toBe(false)
  })

  test('a killed one leaves a store that opens, under the same token', async () => {
    const store = newStore(room.path('killed'))
    const first = await serve(store)
    await first.stop('SIGKILL')
    const second = await serve(store)
    expect(second.token).toBe(first.token)
    expect(second.url).not.toBe('')
    const third = await runCli(['serve', '--port', '0'], { store })
    expectError(third, 'store_busy', 3)
  })

  function writeLine(name: string): string {
    writeFileSync(room.path(name), `${accessLine()}\n`)
    return room.path(name)
  }
})
