import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { packageRoot } from '../../services/store/root.ts'
import { runCli, type Served, scratch, startServe } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'
import { accessLine } from '../support/telemetry.ts'

/** The very steps of the action and of the job, in a clone of a repository, against a running Cinch and a forge's API on loopback. */
const room = scratch('ci')
const HOSTILE = '/a|b`<img src=x>@everyone'
let served: Served
let forge: Awaited<ReturnType<typeof startForge>>
let base = ''

/** What GitHub's and GitLab's API for comments do: list, add, change. */
async function startForge() {
  const comments: { id: number; body: string }[] = []
  const asked: { method: string; url: string; token: string }[] = []
  const server = createServer(async (request, response) => {
    const { method = '', url = '' } = request
    asked.push({ method, url, token: String(request.headers.authorization ?? request.headers['private-token']) })
    const { body = '' } = method === 'GET' ? {} : (JSON.parse(await textOf(request)) as { body?: string })
    const id = Number(/(?:comments|notes)\/(\d+)$/.exec(url)?.[1])
    const known = comments.find((one) => one.id === id)
    if (known) known.body = body
    else if (method === 'POST') comments.push({ id: comments.length + 7, body })
    response.setHeader('content-type', 'application/json').end(JSON.stringify(method === 'GET' ? comments : {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    comments,
    asked,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => server.close(),
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}

const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=kim', '-c', 'user.email=kim@shop.example', ...args], {
    cwd: room.path('clone'),
    encoding: 'utf8',
  }).trim()

beforeAll(async () => {
  const store = newStore(room.path('store'))
  const lines = [
    accessLine(),
    accessLine({ from: 'shop/cart', path: '/carts' }),
    accessLine({ from: 'shop/cart', path: HOSTILE }),
  ]
  await runCli(['ingest', '--source', 'istio-json', '-'], { store, input: `${lines.join('\n')}\n` })
  await runCli(['policies', 'generate', '--selector', 'app={workload}', '--out', room.path('generated')], { store })
  served = await startServe(store)
  mkdirSync(room.path('origin'))
  execFileSync('git', ['init', '-q', '--bare', '-b', 'main', room.path('origin')])
  execFileSync('git', ['clone', '-q', room.path('origin'), room.path('clone')], { stdio: 'pipe' })
  cpSync(room.path('generated'), room.path('clone', 'policies'), { recursive: true })
  git('add', '-A')
  git('commit', '-qm', 'policies')
  git('push', '-q', 'origin', 'HEAD:main')
  base = git('rev-parse', 'HEAD')
})
afterAll(async () => {
  await served.stop()
  room.close()
})
beforeEach(async () => {
  forge = await startForge()
  git('checkout', '-q', '--detach', base)
  return () => forge.close()
})

/** Takes the cart's rules out of the policy, as a careless change would. */
function change(): void {
  const file = room.path('clone', 'policies', '1-allow', 'shop.orders.yaml')
  writeFileSync(
    file,
    readFileSync(file, 'utf8').replaceAll('cluster.local/ns/shop/sa/cart', 'cluster.local/ns/shop/sa/trolley'),
  )
  git('commit', '-qam', 'a careless change')
}

async function shell(script: string, env: Record<string, string>): Promise<{ code: number; stderr: string }> {
  const path = [dirname(process.execPath), process.env['PATH']].join(':')
  const child = spawn('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script], {
    cwd: room.path('clone'),
    env: { PATH: path, HOME: room.dir, ...env },
  })
  let stderr = ''
  child.stderr.on('data', (part: Buffer) => {
    stderr += part.toString()
  })
  child.stdout.resume()
  const [code] = (await once(child, 'close')) as [number]
  return { code, stderr }
}

interface Step {
  run: string
  env: Record<string, string>
}

/** A composite action as a runner does it: its inputs and the event filled in, one step after another. */
async function action(given: Record<string, string>): Promise<{ code: number; stderr: string }> {
  const { inputs, runs } = parse(readFileSync(join(packageRoot(), 'action.yml'), 'utf8')) as {
    inputs: Record<string, { default?: string }>
    runs: { steps: Step[] }
  }
  const values: Record<string, string> = {
    'github.event.pull_request.base.sha': base,
    'github.event.pull_request.number': '12',
    'github.token': 'forge-token',
  }
  const fill = (text: string): string => text.replace(/\$\{\{ ([\w.-]+) \}\}/g, (_, name: string) => values[name] ?? '')
  for (const [name, { default: otherwise = '' }] of Object.entries(inputs))
    values[`inputs.${name}`] = given[name] ?? fill(otherwise)
  mkdirSync(room.path('temp'), { recursive: true })
  const runner = {
    RUNNER_TEMP: room.path('temp'),
    GITHUB_ACTION_PATH: packageRoot(),
    GITHUB_REPOSITORY: 'shop/policies',
    GITHUB_API_URL: forge.url,
    GITHUB_STEP_SUMMARY: room.path('summary.md'),
  }
  let last = { code: 0, stderr: '' }
  for (const { run, env } of runs.steps) {
    expect(run).not.toContain('${{')
    last = await shell(run, {
      ...runner,
      ...Object.fromEntries(Object.entries(env).map(([name, text]) => [name, fill(text)])),
    })
    if (last.code !== 0) break
  }
  return last
}

describe('the action of GitHub', () => {
  test('a change that takes nothing away is said to, and passes', async () => {
    expect(await action({ url: served.url, token: served.token })).toEqual({ code: 0, stderr: '' })
    expect(forge.comments).toHaveLength(1)
    expect(forge.comments[0]?.body).toMatch(/^<!-- cinch replay -->\n\*\*This change would deny 0 of 3 requests\*\*/)
  })

  test('a change that denies what was served fails, and the comment says what; a second run mends it', async () => {
    change()
    expect((await action({ url: served.url, token: served.token })).code).toBe(1)
    const [comment] = forge.comments
    expect(comment?.body).toContain('**This change would deny 2 of 3 requests**')
    expect(comment?.body).toMatch(
      /\| `cluster.local\/ns\/shop\/sa\/cart` \| `shop\/orders` \| `GET` \| `\/carts` \| `1` \| /,
    )
    expect(readFileSync(room.path('summary.md'), 'utf8')).toContain('would deny 2 of 3')
    expect((await action({ url: served.url, token: served.token, 'fail-on': 'never' })).code).toBe(0)
    expect(forge.comments).toHaveLength(1)
    expect(forge.asked.map(({ method, url }) => `${method} ${url.split('?')[0]}`)).toEqual([
      ...['GET /repos/shop/policies/issues/12/comments', 'POST /repos/shop/policies/issues/12/comments'],
      ...['GET /repos/shop/policies/issues/12/comments', 'PATCH /repos/shop/policies/issues/comments/7'],
    ])
    expect(new Set(forge.asked.map(({ token }) => token))).toEqual(new Set(['Bearer forge-token']))
  })

  test('what clients sent is text in the comment: no cell, no code, no mention of its own', async () => {
    change()
    await action({ url: served.url, token: served.token })
    const row = forge.comments[0]?.body.split('\n').find((line) => line.includes('everyone')) ?? ''
    // Code spans and cells as GitHub takes them apart: a bar ends a cell unless a backslash stands before it.
    const cells = row
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim())
    expect(cells).toHaveLength(6)
    for (const cell of cells) expect(cell).toMatch(/^`[^`]+`$/)
  })

  test('without its secret, as for forks, it says so; a token is never printed', async () => {
    const without = await action({ url: served.url, token: '' })
    expect(without).toMatchObject({ code: 2, stderr: expect.stringContaining('pull requests of forks get no secrets') })
    const wrong = await action({ url: served.url, token: 'wrong-token' })
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('401') })
    expect(wrong.stderr).not.toContain('wrong-token')
    expect(forge.comments).toEqual([])
  })
})

describe('the cases beside the policies', () => {
  const testIt = async () => await runCli(['policies', 'test', room.path('clone', 'policies'), '--json'])
  test('hold as they were generated, without any store, and not after the change', async () => {
    const whole = await testIt()
    expect({ code: whole.code, ...whole.json() }).toEqual({ code: 0, cases: expect.any(Number), failed: [] })
    expect(whole.json()['cases']).toBeGreaterThan(5)
    change()
    const { code, json } = await testIt()
    expect(code).toBe(1)
    const failed = json<{ failed: { principal: string; expect: string; is: string }[] }>().failed
    expect(new Set(failed.map((one) => `${one.principal} ${one.expect} ${one.is}`))).toEqual(
      new Set(['cluster.local/ns/shop/sa/cart allow deny']),
    )
  })

  test('that are not there, or no cases, are an error', async () => {
    const tests = room.path('clone', 'policies', 'tests.json')
    writeFileSync(tests, '{}')
    expect((await testIt()).stderr).toContain('error bad_policy: tests.json: has no list "cases"')
    rmSync(tests)
    expect((await testIt()).stderr).toContain('error bad_policy: there is no tests.json')
    git('checkout', '-q', '.')
  })
})

describe('the job of GitLab', () => {
  test('says and fails the same', async () => {
    change()
    const file = parse(readFileSync(join(packageRoot(), 'integrations/ci/gitlab.yml'), 'utf8')) as Record<
      string,
      { script: string[]; variables: Record<string, string> }
    >
    const job = file['.cinch-replay']
    const env = {
      ...job?.variables,
      ...{
        CINCH_SCRIPT: join(packageRoot(), 'integrations/ci/replay.js'),
        CINCH_URL: served.url,
        CINCH_TOKEN: served.token,
      },
      ...{
        CI_MERGE_REQUEST_DIFF_BASE_SHA: base,
        CI_API_V4_URL: `${forge.url}/api/v4`,
        CI_PROJECT_ID: '5',
        CI_MERGE_REQUEST_IID: '3',
        GITLAB_TOKEN: 'forge-token',
      },
    }
    expect((await shell(job?.script.join('\n') ?? '', env)).code).toBe(1)
    expect(forge.comments[0]?.body).toContain('**This change would deny 2 of 3 requests**')
    expect(readFileSync(room.path('clone', 'cinch-replay.md'), 'utf8')).toBe(forge.comments[0]?.body)
    expect(forge.asked.map(({ method, url, token }) => [method, url.split('?')[0], token])).toEqual([
      ['GET', '/api/v4/projects/5/merge_requests/3/notes', 'forge-token'],
      ['POST', '/api/v4/projects/5/merge_requests/3/notes', 'forge-token'],
    ])
  })
})

describe('the published schemas', () => {
  const has = (() => {
    try {
      return execFileSync('check-jsonschema', ['--version'], { encoding: 'utf8' }).includes('check-jsonschema')
    } catch {
      // Not installed: pip install check-jsonschema.
      return false
    }
  })()
  test.skipIf(!has).each([
    ['vendor.github-actions', 'action.yml'],
    ['vendor.gitlab-ci', 'integrations/ci/gitlab.yml'],
  ])('%s takes %s', (schema, file) => {
    expect(
      execFileSync('check-jsonschema', ['--builtin-schema', schema, join(packageRoot(), file)], { encoding: 'utf8' }),
    ).toContain('ok')
  })
})
