import { writeFileSync } from 'node:fs'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DisagreementsAnswer } from '../../services/api/disagreements.ts'
import { ERRORS } from '../../services/model/errors.ts'
import { openedBy, taken } from '../analyzer/join-lines.ts'
import { expectError, runCli, runHere, scratch } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'
import { accessLine, callLine } from '../support/telemetry.ts'

const room = scratch('commands')
const store = newStore(room.path('store'))

beforeAll(async () => {
  writeFileSync(room.path('lines.log'), `${accessLine()}\n${accessLine({ path: '/orders/7' })}\n`)
  writeFileSync(room.path('more.log.gz'), gzipSync(`${accessLine({ from: 'shop/cart' })}\n`))
  writeFileSync(room.path('more.log.zst'), zstdCompressSync(`${accessLine({ from: 'shop/users' })}\n`))
  writeFileSync(room.path('bad.log'), 'no access log\n')
  writeFileSync(room.path('cut.log.gz'), gzipSync(accessLine().repeat(2000)).subarray(0, 500))
})
afterAll(() => room.close())

describe('usage', () => {
  test.each([
    ['no command', [], 'usage'],
    ['an unknown command', ['grpah'], "there is no command 'grpah'"],
    ['half of a command', ['policies'], "there is no command 'policies'"],
  ])('%s: exit 2, and what there is', async (_, args, text) => {
    const ran = await runHere(args)
    expect(ran.code).toBe(2)
    expect(ran.stdout).toBe('')
    expect(ran.stderr).toContain(text)
    expect(ran.stderr).toContain('policies generate')
  })

  test.each([
    ['an unknown option', ['graph', '--frm', 'json'], 'usage'],
    ['an option without its value', ['graph', '--since'], 'usage'],
    ['no source', ['ingest', 'x.log'], 'usage'],
    ['no file', ['ingest', '--source', 'istio-json'], 'usage'],
    ['an unknown source', ['ingest', '--source', 'apache', 'x.log'], 'unknown_source'],
    ['an unknown format', ['graph', '--format', 'pdf'], 'bad_option'],
    ['a limit that is none', ['rejects', '--limit', '0'], 'bad_option'],
    ['a role that is none', ['serve', '--roles', 'api,cook'], 'bad_option'],
    ['a port that is none', ['serve', '--port', '70000'], 'bad_option'],
    ['no --out', ['policies', 'generate'], 'usage'],
    ['no directory to replay', ['policies', 'replay'], 'usage'],
    ['two directories to replay', ['policies', 'replay', 'a', 'b'], 'usage'],
    ['a directory without policies', ['policies', 'replay', '/nowhere'], 'bad_policy'],
    ['a split without a reason', ['operations', 'split', 'shop/a', '/b'], 'usage'],
    ['a split without a path', ['operations', 'split', 'shop/a', '--why', 'x'], 'usage'],
    ['operations of two callees', ['operations', 'shop/a', 'shop/b'], 'usage'],
    ['a sender that is neither added nor revoked', ['senders', 'promote', 'x'], 'usage'],
  ] as const)('%s is an error with the next step', async (_, args, code) => {
    const unused = room.path('unused')
    expectError(await runHere([...args], { store: unused }), code, ERRORS[code])
  })

  test('help is on stdout, of all, of a group and of one command', async () => {
    const [all, group, one, flag] = await Promise.all([
      runHere(['--help']),
      runHere(['help', 'policies']),
      runHere(['help', 'graph']),
      runHere(['graph', '--help']),
    ])
    for (const ran of [all, group, one, flag])
      expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code: 0, stderr: '' })
    expect(all.stdout).toContain('ingest')
    expect(group.stdout).not.toContain('ingest')
    expect(one.stdout).toContain('--since T')
    expect(one.stdout).toBe(flag.stdout)
  })

  test('an argument cannot drive the terminal', async () => {
    const ran = await runHere(['\u001b[2J\u009b31mgraph'])
    expect(ran.stderr).toContain('\\x1b[2J\\x9b31mgraph')
    expect(ran.stderr).not.toMatch(/(?!\n)\p{Cc}/u)
  })
})

describe('ingest', () => {
  test('two files, packed or not, in one run', async () => {
    const files = ['lines.log', 'more.log.gz', 'more.log.zst'].map((name) => room.path(name))
    const ran = await runCli(['ingest', '--source', 'istio-json', '--json', ...files], { store })
    expect(ran.stderr).toBe('')
    expect(ran.code).toBe(0)
    expect(ran.json()).toEqual({
      read: 4,
      accepted: 4,
      rejected: 0,
      bytes: expect.any(Number),
      skipped: 0,
      seconds: expect.any(Number),
    })
  })

  test('standard input; a rejected line is exit 1, and its reason can be read', async () => {
    const input = `${accessLine({ from: 'shop/pipe' })}\nno access log\n`
    const ran = await runCli(['ingest', '--source', 'envoy-json', '--json', '-'], { store, input })
    expect(ran.code).toBe(1)
    expect(ran.json()).toMatchObject({ read: 2, accepted: 1, rejected: 1 })
    expect(ran.stderr).toContain('cinch rejects --source istio-json')
    const rejects = await runCli(['rejects', '--source', 'istio-json', '--json'], { store })
    expect(rejects.json()).toMatchObject({
      reasons: [{ source: 'istio-json', reason: 'not_json', lines: 1 }],
      lines: [{ line: 'no access log', reason: 'not_json', sender: 'operator' }],
    })
    const other = await runCli(['rejects', '--source', 'istio-text', '--json'], { store })
    expect(other.json()).toEqual({ reasons: [], lines: [] })
  })

  test('operations are learned at its end; a person merges them, and it stays', async () => {
    const lines = ['eu', 'us'].flatMap((region) =>
      Array(8).fill(accessLine({ to: 'shop/map', path: `/regions/${region}` })),
    )
    await runCli(['ingest', '--source', 'istio-json', '-'], { store, input: `${lines.join('\n')}\n` })
    const paths = async (...more: string[]) => {
      const ran = await runCli(['operations', ...more, '--json'], { store })
      expect(ran.stderr).toBe('')
      return ran.json<{ templates: { path: string }[] }>().templates.map(({ path }) => path)
    }
    expect(await paths('shop/map')).toEqual(['/regions/eu', '/regions/us'])
    expect(await paths('merge', 'shop/map', '/regions/{}', '--why', 'regions come and go')).toEqual([
      '/regions/{value}',
    ])
    const more = accessLine({ to: 'shop/map', path: '/regions/asia' })
    await runCli(['ingest', '--source', 'istio-json', '-'], { store, input: `${more}\n` })
    const text = (await runCli(['operations', 'shop/map', '--by', 'kim'], { store })).stdout
    expect(text).toMatch(/^GET +\/regions\/\{value\} +1 +3 +17 /m)
    expect(text).toMatch(/^merge \/regions\/\{\} by .+: regions come and go$/m)
    expect((await runCli(['operations'], { store })).stdout).toMatch(/^shop\/map +2 +1 +3 +1 +- /m)
    expectError(await runCli(['operations', 'shop/nobody'], { store }), 'not_found', 2)
  })

  test('packed standard input', async () => {
    const input = gzipSync(`${accessLine({ from: 'shop/packed' })}\n`)
    const ran = await runCli(['ingest', '--source', 'istio-json', '--json', '-'], { store, input })
    expect(ran.json()).toMatchObject({ read: 1, accepted: 1 })
  })

  test('text for people', async () => {
    const ran = await runCli(['ingest', '--source', 'istio-json', '-'], { store })
    expect(ran.stdout).toMatch(/^0 read, 0 accepted, 0 rejected in [0-9.]+ s/)
    expect(ran.code).toBe(0)
  })

  test.each([
    ['absent', 'nothing.log'],
    ['a directory', '.'],
    ['damaged', 'cut.log.gz'],
  ])('a file that is %s', async (_, name) => {
    const ran = await runCli(['ingest', '--source', 'istio-json', room.path(name)], { store })
    expectError(ran, 'bad_file', 2)
  })
})

describe('questions', () => {
  test('to an empty store have empty answers', async () => {
    const empty = room.path('empty')
    const graph = await runCli(['graph', '--json'], { store: empty })
    expect(graph.json()).toMatchObject({ nodes: [], edges: [], unattributed: [] })
    const generated = await runCli(['policies', 'generate', '--out', room.path('none')], { store: empty })
    expect(generated.stdout).toContain('0 permissions')
    expect(generated.code).toBe(0)
    const doctor = await runCli(['doctor'], { store: empty })
    expect({ code: doctor.code, stdout: doctor.stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining('cinch ingest'),
    })
  })

  test('who called, where nobody can be named: how many requests and why, and whose words differ', async () => {
    const [own, file] = [newStore(room.path('unnamed')), room.path('unnamed.log')]
    const lines = [taken('10.0.0.3:100'), openedBy('web', '10.0.0.3:100'), openedBy('mail\u001b[2J', '10.0.0.3:100')]
    writeFileSync(file, [...lines, taken('10.0.0.9:0', { path: '/b' })].join('\n'))
    expect((await runHere(['ingest', '--source', 'istio-json', file], { store: own })).code).toBe(0)
    const graph = await runHere(['graph'], { store: own })
    expect(graph.stdout).toContain('no caller known (forwarded_address): 1 requests to shop/orders')
    expect(graph.stdout).toContain(
      "2 requests without a caller's name: 1 forwarded_address (the client sent the address along), 1 two_callers (two proxies claim the connection)",
    )
    const told = await runHere(['disagreements'], { store: own })
    expect(told.stdout).toMatch(/: 1 disagreements\n.*\nshop\/orders {2}two_callers {2}- .* 2026-11-05T10:00:30/)
    expect(told.stdout).not.toContain('\u001b')
    const { disagreements } = (await runHere(['disagreements', '--json'], { store: own })).json<DisagreementsAnswer>()
    expect(disagreements).toMatchObject([{ callee: 'shop/orders', said: expect.stringContaining('shop/web') }])
    const before = await runHere(
      ['disagreements', '--until', '2026-11-05T10:00:00Z', '--since', '2026-11-05T09:00:00Z'],
      { store: own },
    )
    expect(before.stdout).toContain('nobody disagrees')
  })

  test('--json is one document on stdout, and nothing else', async () => {
    const commands = [['sources'], ['graph'], ['rejects'], ['doctor'], ['disagreements'], ['senders'], ['migrate']]
    for (const command of commands) {
      const ran = await runHere([...command, '--json'], { store })
      expect({ command, stderr: ran.stderr }).toEqual({ command, stderr: '' })
      expect(typeof ran.json(), command.join(' ')).toBe('object')
    }
  })

  test('a reader that stops early is no fault', async () => {
    const { spawnSync } = await import('node:child_process')
    const main = new URL('../../services/cli/main.ts', import.meta.url).pathname
    const shell = `"$0" "$1" graph --json --store "chdb:$2" | head -c 1; exit "\${PIPESTATUS[0]}"`
    const ran = spawnSync('bash', ['-c', shell, process.execPath, main, store], { encoding: 'utf8' })
    expect(ran).toMatchObject({ stdout: '{', stderr: '', status: 0 })
  })

  test('a window: spans back from now, half open, and what is no time', async () => {
    const recent = newStore(room.path('recent'))
    const at = new Date().toISOString()
    const input = `${accessLine({ at })}\n${accessLine({ from: 'shop/old' })}\n`
    await runCli(['ingest', '--source', 'istio-json', '-'], { store: recent, input })
    const requests = async (...window: string[]) => {
      const ran = await runCli(['graph', '--json', ...window], { store: recent })
      return ran.json<{ edges: { requests: number }[] }>().edges.reduce((sum, edge) => sum + edge.requests, 0)
    }
    expect(await requests()).toBe(2)
    expect(await requests('--since', '24h')).toBe(1)
    expect(await requests('--until', '2026-11-05T10:00:00Z')).toBe(0)
    expect(await requests('--since', '2026-11-05', '--until', '2026-11-06')).toBe(1)
    expectError(await runCli(['graph', '--since', 'yesterday'], { store: recent }), 'bad_time', 2)
  })

  test('doctor: what is missing is exit 1', async () => {
    const traces = newStore(room.path('traces'))
    await runCli(['ingest', '--source', 'otlp-traces', '-'], { store: traces, input: `${callLine('web', 'orders')}\n` })
    const ran = await runCli(['doctor'], { store: traces })
    expect(ran.code).toBe(1)
    expect(ran.stdout).toContain('otlp-traces from operator: identities is missing in 100 %')
    expect((await runCli(['doctor', '--source', 'istio-text'], { store: traces })).code).toBe(0)
  })
})
