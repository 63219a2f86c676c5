import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { generate } from '../../../policy-gen/generate.ts'
import { replay } from '../../../policy-gen/replay/replay.ts'
import { targetById } from '../../../policy-gen/targets/index.ts'
import type { PolicyFile } from '../../../policy-gen/targets/target.ts'
import { regoEngine } from '../../../services/api/opa.ts'
import type { ObservedOperation } from '../../../services/model/operation.ts'
import { engineBinary } from '../../lab/engines/setup.ts'
import { required } from '../../requirements.ts'
import { inventoryOf, operation, seeded, WINDOW } from '../support.ts'
import { attemptsAround, grantedBy, hostileText, observed } from './attempts.ts'
import { rego } from './opa.ts'

const TIMEOUT_MS = 240_000
const BATCHES = 5
const ATTEMPTS = 2_100
/** A parameter is any text without a slash. */
const ANY = { int: '[^/]+', hex: '[^/]+', uuid: '[^/]+', date: '[^/]+' }
const target = targetById('opa-rego')
const program = engineBinary('opa') ?? ''

/** Runs OPA in a directory with the rendered files. */
function opa(files: readonly PolicyFile[], args: string[], input = ''): { status: number | null; stdout: string } {
  const folder = mkdtempSync(join(tmpdir(), 'cinch-opa-test-'))
  try {
    for (const { path, content } of files) writeFileSync(join(folder, path), content)
    return spawnSync(program, args, { cwd: folder, input, encoding: 'utf8', maxBuffer: 2 ** 28 })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const inputOf = ({ source, destination, method, path, workloadPort }: ObservedOperation, query: string) => ({
  attributes: {
    source: { principal: `spiffe://${source.principal}` },
    destination: { address: { socketAddress: { portValue: workloadPort } } },
    request: { http: { method, path: `${path}${query}`, headers: {}, host: 'orders' } },
    contextExtensions: { 'cinch.callee': destination.id },
  },
})

describe.skipIf(!rego && !required('CINCH_REQUIRE_ENGINES'))('rendered Rego', { timeout: TIMEOUT_MS }, () => {
  it.each(Array.from({ length: BATCHES }, (_, at) => at + 1))(
    'allows what was observed and nothing else, as OPA and as replay decide; batch %i',
    (seed) => {
      const operations = observed(seed, 60)
      const inventory = inventoryOf(operations)
      const { files, report } = generate(operations, inventory, target, { window: WINDOW })
      expect(report.loss).toEqual([])
      const calls = attemptsAround(operations, seed, ATTEMPTS)
      const granted = grantedBy(operations, ANY)
      const policy = files.filter(({ path }) => path === 'policy.rego' || path === 'data.json')
      const query = '[d | some one in input; d := data.envoy.authz.allow with input as one]'
      const inputs = JSON.stringify(calls.map((call, at) => inputOf(call, at % 3 === 0 ? '?a=/b' : '')))
      const args = ['eval', '--format=raw', '--stdin-input', '--data', 'policy.rego', '--data', 'data.json', query]
      const decided = JSON.parse(opa(policy, args, inputs).stdout) as boolean[]
      const result = replay(files, calls, { inventory, window: WINDOW, rego })
      const refused = new Set(result.newly_denied.map(({ first_seen }) => first_seen))
      const wrong = calls.flatMap((call, at) => {
        const said = { expected: granted(call), opa: decided[at], replay: !refused.has(call.firstSeen) }
        return said.expected === said.opa && said.opa === said.replay ? [] : [{ call, said }]
      })
      expect(wrong.slice(0, 3)).toEqual([])
      expect(result.uncertain).toEqual([])
      expect(Math.min(refused.size, calls.length - refused.size)).toBeGreaterThan(ATTEMPTS / 5)
    },
  )

  it('is strict Rego v1, passes its own tests, and fails them when a grant is gone', () => {
    const operations = observed(9, 60)
    const { files } = generate(operations, inventoryOf(operations), target, { window: WINDOW })
    expect(opa(files, ['check', '--strict', 'policy.rego', 'policy_test.rego'])).toMatchObject({ status: 0 })
    expect(opa(files, ['test', '.'])).toMatchObject({ status: 0 })
    const damaged = files.map((file) =>
      file.path === 'data.json' ? { ...file, content: file.content.replace('"GET"', '"GOT"') } : file,
    )
    expect(opa(damaged, ['test', '.']).status).not.toBe(0)
  })

  it('holds hostile names, methods and paths as they are', () => {
    const random = seeded(7)
    for (let batch = 0; batch < 25; batch++) {
      const operations = Array.from({ length: 8 }, () => {
        const path = encodeURI(`/${hostileText(random).toWellFormed()}`).replace(/[?#{}]/g, '-')
        const one = operation({ path, method: hostileText(random) })
        one.destination.workload = hostileText(random)
        one.destination.cluster = hostileText(random)
        return one
      })
      const workloads = operations.map(({ destination: { cluster, workload } }, at) => ({
        ...{ cluster, namespace: 'shop', name: workload, labels: { app: `a${at}` } },
        ...{ kind: 'Deployment', serviceAccount: '', owner: '' },
      }))
      const { files, report } = generate(operations, { services: [], workloads }, target, { window: WINDOW })
      expect(opa(files, ['test', '.'])).toMatchObject({ status: 0 })
      const data = opa(files, ['eval', '--format=raw', '--data', 'data.json', 'data.cinch.callees']).stdout
      const callees = Object.values(
        JSON.parse(data) as Record<string, { cluster: string; workload: string; callers: Record<string, object[]> }>,
      )
      const written = callees.flatMap(({ cluster, workload, callers }) =>
        Object.entries(callers).flatMap(([caller, grants]) =>
          grants.map((grant) => JSON.stringify([cluster, workload, caller, grant])),
        ),
      )
      const lost = new Set(
        report.loss.filter(({ done }) => done === 'refused').map(({ method, path }) => `${method} ${path}`),
      )
      const expected = report.permissions
        .filter(({ operation: { method, path } }) => !lost.has(`${method} ${path}`))
        .map(({ callee, caller, port, operation: { method, path } }) =>
          JSON.stringify([
            callee.cluster,
            callee.workload,
            caller.principal,
            { methods: [method], paths: [path.replaceAll('\\', '/')], ports: [port] },
          ]),
        )
      expect(written.sort()).toEqual(expected.sort())
    }
  })

  it('of other people is evaluated for what is known in full, and cannot reach out', () => {
    const run = (content: string, short = {}) => {
      const call = operation(short)
      return replay([{ path: 'a.rego', content }], [call], { inventory: inventoryOf([call]), window: WINDOW, rego })
    }
    const policy =
      'package envoy.authz\nallow := {"allowed": true} if startswith(input.attributes.request.http.path, "/items")'
    expect(run(policy).still_allowed).toBe(10)
    expect(run(policy, { path: '/other' }).newly_denied).toHaveLength(1)
    expect(run(policy, { path: '/items/{int}' }).uncertain).toHaveLength(1)
    expect(run(policy, { port: 0 }).uncertain).toHaveLength(1)
    const token = 'package envoy.authz\nallow if input.attributes.request.http.headers.authorization == "x"'
    expect(run(token).uncertain).toMatchObject([{ reason: "not known: the request's headers" }])
    expect(run(token.replace('headers', 'metadataContext')).uncertain).toHaveLength(1)
    const reaching =
      'package envoy.authz\nallow if http.send({"method": "GET", "url": "http://127.0.0.1:1"}).status_code == 200'
    expect(() => run(reaching)).toThrow(/http.send/)
  })
})

it('without OPA, Rego is refused with a word on how to get it', () => {
  expect(regoEngine('no-such-program')).toBeNull()
  const files = [{ path: 'a.rego', content: 'package envoy.authz' }]
  expect(() => replay(files, [], { inventory: inventoryOf([]), window: WINDOW })).toThrow(/a\.rego: .*CINCH_OPA/)
})
