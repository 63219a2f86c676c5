import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { expectError, runCli, type Served, scratch, startServe } from '../../support/cli.ts'
import { request, traceRequest } from './requests.ts'

const room = scratch('receivers-serve')
const running: Served[] = []
afterEach(async () => {
  for (const served of running.splice(0)) await served.stop('SIGKILL')
})
afterAll(() => room.close())

const serve = async (name: string, args: string[]) => {
  const served = await startServe(room.path(name), args)
  running.push(served)
  return served
}

describe('serve', () => {
  test('listens for telemetry only where it was asked to, and closed to this machine too', async () => {
    expect((await serve('plain', [])).stdout()).not.toContain('OTLP')
    const served = await serve('asked', ['--receivers', '--otlp-http-port', '0', '--otlp-grpc-port', 'off'])
    await expect.poll(() => served.stdout()).toMatch(/OTLP\/HTTP is at http:\/\/127\.0\.0\.1:\d+\n$/)
    const http = /OTLP\/HTTP is at (\S+)/.exec(served.stdout())?.[1] ?? ''
    expect((await request(`${http}/v1/traces`, traceRequest('serve', 1))).status).toBe(401)
    expect(await served.stop()).toEqual({ code: 0, signal: null })
    running.pop()
  })

  test('takes what this machine sends where it was told so, and stores it before it ends', async () => {
    const args = ['--otlp-http-port', '0', '--loopback-senders']
    const served = await serve('loopback', args)
    await expect.poll(() => served.stdout()).toContain('OTLP/HTTP')
    const http = /OTLP\/HTTP is at (\S+)/.exec(served.stdout())?.[1] ?? ''
    expect((await request(`${http}/v1/traces`, traceRequest('loopback', 3))).status).toBe(200)
    const sources = await (await served.get('/api/v1/sources')).json()
    expect(sources).toMatchObject({
      sources: expect.arrayContaining([
        expect.objectContaining({ id: 'otlp-traces', facts: 3, senders: ['operator'] }),
      ]),
    })
    expect(await served.stop()).toEqual({ code: 0, signal: null })
    running.pop()
  })

  test.each(['--otlp-http-port', '--otlp-grpc-port'])(
    'a port of %s that is taken ends it, with the next step',
    async (option) => {
      const other = createServer()
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
      const { port } = other.address() as AddressInfo
      const ran = await runCli(['serve', '--port', '0', option, String(port)], { store: room.path('taken') })
      other.close()
      expect(ran.code).toBe(2)
      expect(ran.stderr).toMatch(new RegExp(`error bad_option: cannot listen on 127.0.0.1:${port}`))
      expect(ran.stderr).toContain(option)
    },
  )

  test.each([
    ['a port that is none', ['--otlp-http-port', '70000']],
    ['a certificate without its key', ['--otlp-http-port', '0', '--tls-cert', 'a.pem']],
    ['files that are not there', ['--otlp-http-port', '0', '--tls-cert', 'a.pem', '--tls-key', 'a.key']],
    ['no quota', ['--quota-bytes-per-second', '0']],
  ])('%s', async (_, args) => {
    const ran = await runCli(['serve', '--port', '0', ...args], { store: room.path('wrong') })
    expect(ran.code).toBe(2)
    expect(ran.stderr).toMatch(/^error bad_option: /m)
  })

  test('files that are no certificate are an error, and not one of Cinch', async () => {
    for (const name of ['a.pem', 'a.key']) writeFileSync(room.path(name), 'no pem')
    const tls = ['--tls-cert', room.path('a.pem'), '--tls-key', room.path('a.key')]
    const ran = await runCli(['serve', '--port', '0', '--otlp-http-port', '0', ...tls], { store: room.path('wrong') })
    expect(ran.code).toBe(2)
    expect(ran.stderr).toMatch(/^error bad_option: /m)
  })
})

test('senders add --spiffe registers without a token', async () => {
  const spiffe = 'spiffe://cluster.local/ns/shop/sa/web'
  const add = ['senders', 'add', 'web', '--source', 'otlp-traces', '--spiffe', spiffe]
  const ran = await runCli(add, { store: room.path('senders') })
  expect(ran).toMatchObject({ code: 0, stdout: `web shows ${spiffe}\n` })
  const list = await runCli(['senders', '--json'], { store: room.path('senders') })
  expect(list.json()).toMatchObject({ senders: [{ id: 'web', spiffe }] })
  expectError(await runCli([...add.slice(0, -1), 'spiffe://x'], { store: room.path('senders') }), 'bad_sender', 2)
})
