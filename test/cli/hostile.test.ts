import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readFiles, writeFiles } from '../../services/cli/policy-files.ts'
import type { Graph } from '../../services/model/graph.ts'
import { expectError, type Ran, runCli, runHere, scratch } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'
import { accessLine, callLine } from '../support/telemetry.ts'

const room = scratch('hostile')
const store = newStore(room.path('store'))
const NAMES = ['\u001b]0;owned\u0007', 'two\nlines', '"quoted"', '<b>]]>', '\u009b31m', '../../escape']
const NAMING = ['--evidence', 'claimed', '--principal', 'cluster.local/ns/{namespace}/sa/{workload}']
/** Everything that a terminal would obey, but for the line breaks of the output itself. */
const DRIVING = /(?![\n\t])\p{Cc}/u

beforeAll(async () => {
  writeFileSync(
    room.path('spans.jsonl'),
    NAMES.map((name, trace) => callLine(name, `to ${name}`, { route: `/${name}`, trace: trace + 1 })).join('\n'),
  )
  writeFileSync(
    room.path('lines.log'),
    `${accessLine()}\n${accessLine({ path: '/\u001b[2J' })}\nbad \u001b[31m line\u009b\n`,
  )
  await runCli(['ingest', '--source', 'otlp-traces', room.path('spans.jsonl')], { store })
  await runCli(['ingest', '--source', 'istio-json', room.path('lines.log')], { store })
})
afterAll(() => room.close())

describe('names from telemetry', () => {
  test('are told as they are in JSON', async () => {
    const graph = (await runHere(['graph', '--json'], { store })).json<Graph>()
    const callers = graph.edges.filter((edge) => edge.reporter === 'span').map((edge) => edge.source)
    expect(callers.sort()).toEqual(NAMES.map((name) => `shop/${name}`).sort())
  })

  test.each([
    ['graph'],
    ['graph', '--json'],
    ['graph', '--format', 'dot'],
    ['graph', '--format', 'mermaid'],
    ['graph', '--format', 'graphml'],
    ['rejects'],
    ['rejects', '--json'],
    ['doctor'],
    ['sources'],
  ])('drive no terminal: %s %s %s', async (...args) => {
    const ran = await runHere(
      args.filter((arg) => arg !== undefined),
      { store },
    )
    expect(ran.stdout.length).toBeGreaterThan(20)
    expect(ran.stdout).not.toMatch(DRIVING)
  })

  test('in a table make no line of their own', async () => {
    const { stdout } = await runHere(['graph'], { store })
    expect(stdout).toContain('shop/two\\x0alines')
    expect(stdout.split('\n').filter((line) => line.startsWith('lines'))).toEqual([])
  })

  test('in generate and replay: no terminal is driven, no file is written elsewhere', async () => {
    const out = room.path('deep', 'policies')
    const selector = ['--selector', 'app={workload}']
    const generated = await runCli(['policies', 'generate', '--out', out, ...NAMING, ...selector], { store })
    expect(generated.code).toBe(0)
    expect(generated.stdout).not.toMatch(DRIVING)
    expect(readdirSync(room.dir).sort()).toEqual(['deep', 'lines.log', 'spans.jsonl', 'store'])
    expect(readdirSync(room.path('deep'))).toEqual(['policies'])
    const policies = room.path('nothing-allowed')
    mkdirSync(policies)
    const yaml =
      'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: deny, namespace: shop}\nspec: {}\n'
    writeFileSync(room.path('nothing-allowed', 'deny.yaml'), yaml)
    const replayed = await runHere(['policies', 'replay', policies], { store })
    expect(replayed.stdout).toContain('would be denied')
    expect(replayed.stdout).not.toMatch(DRIVING)
    expect(replayed.code).toBe(1)
  })
})

describe('the directory of policies generate', () => {
  const generate = (out: string, ...options: string[]): Promise<Ran> =>
    runHere(['policies', 'generate', '--out', out, '--selector', 'app={workload}', ...options], { store })

  test('a foreign one is refused, and nothing in it is touched', async () => {
    const out = room.path('foreign')
    mkdirSync(out)
    const files = { 'report.json': '{"tests": 3}', 'deployment.yaml': 'kind: Deployment' }
    for (const [name, content] of Object.entries(files)) writeFileSync(room.path('foreign', name), content)
    const ran = await generate(out)
    expectError(ran, 'bad_option', 2)
    expect(ran.stderr).toContain('is not empty')
    expect(Object.fromEntries(readFiles(out).map(({ path, content }) => [path, content]))).toEqual(files)
  })

  test('a file in its place is refused', async () => {
    expectError(await generate(room.path('lines.log')), 'bad_option', 2)
    expectError(await runHere(['policies', 'replay', room.path('lines.log')], { store }), 'bad_option', 2)
  })

  test('an earlier result is replaced: what is stale goes, what people added stays', async () => {
    const out = room.path('again')
    expect((await generate(out)).code).toBe(0)
    const first = readFiles(out).map((file) => file.path)
    expect(first).toEqual(expect.arrayContaining(['1-allow/shop.orders.yaml', 'report.json', 'tests.json']))
    writeFileSync(room.path('again', 'own.yaml'), 'kind: ConfigMap')
    writeFileSync(room.path('again', '1-allow', 'own.yaml'), 'kind: ConfigMap')
    // A window without requests: no permission, so no policy.
    expect((await generate(out, '--since', '2020-01-01', '--until', '2020-01-02')).code).toBe(0)
    expect(readFiles(out).map((file) => file.path)).toEqual([
      '1-allow/own.yaml',
      'own.yaml',
      'report.json',
      'tests.json',
    ])
    expect(existsSync(room.path('again', '3-default-deny'))).toBe(false)
    expect((await generate(out)).code).toBe(0)
    expect(
      readFiles(out)
        .map((file) => file.path)
        .sort(),
    ).toEqual([...first, '1-allow/own.yaml', 'own.yaml'].sort())
  })

  test('a list of files that leads elsewhere removes nothing there', () => {
    const out = room.path('led')
    writeFiles(out, [{ path: 'a.yaml', content: 'a' }])
    writeFileSync(room.path('precious.yaml'), 'precious')
    writeFileSync(room.path('led', '.cinch-generated'), '../precious.yaml\na.yaml\n')
    writeFiles(out, [{ path: 'b.yaml', content: 'b' }])
    expect(readdirSync(out).sort()).toEqual(['.cinch-generated', 'b.yaml'])
    expect(readFileSync(room.path('precious.yaml'), 'utf8')).toBe('precious')
    rmSync(room.path('precious.yaml'))
  })

  test('a path that leaves it is refused before anything is written', () => {
    const out = room.path('left')
    const files = [
      { path: 'fine.yaml', content: '' },
      { path: '../evil.yaml', content: '' },
    ]
    expect(() => writeFiles(out, files)).toThrow(expect.objectContaining({ code: 'bad_policy' }))
    expect(existsSync(out)).toBe(false)
    expect(existsSync(room.path('evil.yaml'))).toBe(false)
  })
})

test('what lies on standard input is no row of what a command stores', async () => {
  const store = room.path('piped')
  const row = '{"id":"evil","token_hash":"x","sources":["istio-json"],"evidence_cap":4}\n'
  const added = await runCli(['senders', 'add', 'edge', '--source', 'istio-json'], { store, input: row.repeat(5_000) })
  expect(added.code, added.stderr).toBe(0)
  const listed = await runCli(['senders', '--json'], { store })
  expect(listed.stdout).toContain('edge')
  expect(listed.stdout).not.toContain('evil')
})
