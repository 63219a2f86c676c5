import { expect, test } from 'vitest'
import { generate } from '../../../policy-gen/generate.ts'
import { replay } from '../../../policy-gen/replay/replay.ts'
import { targetById } from '../../../policy-gen/targets/index.ts'
import type { Call } from '../../../services/analyzer/graph/calls.ts'
import { observedOperations } from '../../../services/analyzer/graph/operations.ts'
import { withTemplates } from '../../../services/analyzer/graph/templates.ts'
import { learnTemplates } from '../../../services/analyzer/operations/learn.ts'
import { seenPath } from '../../../services/analyzer/templates/records.ts'
import type { TemplateOf } from '../../../services/analyzer/templates/stored.ts'
import { EMPTY_INVENTORY } from '../../../services/model/inventory.ts'
import { PATH_FLAGS, type PathFlag } from '../../../services/model/operation.ts'
import type { OperationRow } from '../../../services/store/queries/rollups.ts'
import { FILES, values } from './cases.ts'

const WINDOW = { since: '2026-11-20T00:00:00Z', until: '2026-11-21T00:00:00Z' }
const RULES = { principalRule: 'cluster.local/ns/{namespace}/sa/{workload}', selectorRule: 'app={workload}' }

function call(
  caller: string,
  method: string,
  shape: string,
  flags: PathFlag[] = [],
  counts = { requests: 1, denied: 0 },
) {
  const node = (name: string) => ({
    ...{ id: `shop/${name}`, kind: 'workload' as const, name, namespace: 'shop', workload: name },
    ...{ cluster: 'c1', principal: `cluster.local/ns/shop/sa/${name}` },
  })
  const row: OperationRow = {
    ...{ edge: `${caller} ${method} ${shape}`, source_format: 'istio-json', sender: 'operator', mark: 0, active: 1 },
    ...{ cluster: 'c1', destination_namespace: 'shop', destination_workload: 'users', destination_service: 'users' },
    ...{
      enforcement_point: 'sidecar',
      destination_principal: 'cluster.local/ns/shop/sa/users',
      destination_address: '::',
      destination_kind: 'internal',
    },
    ...{ source_cluster: 'c1', source_namespace: 'shop', source_workload: caller, source_address: '::' },
    ...{ source_principal: `cluster.local/ns/shop/sa/${caller}`, source_evidence: 'verified', reporter: 'destination' },
    ...{
      edge: '00',
      source_format: 'istio-json',
      sender: 'operator',
      enforcement_point: 'sidecar',
      mark: 0,
      active: 1,
    },
    ...{ unpaired: '', service_port: 80, workload_port: 8080, protocol: 'http', mtls: 'yes', days: 1 },
    ...{ first_seen: WINDOW.since, last_seen: WINDOW.since, method, shape, ...counts },
    path_flags: flags.reduce((bits, flag) => bits | (1 << PATH_FLAGS.indexOf(flag)), 0),
  }
  return { row, source: node(caller), destination: node('users') } satisfies Call<OperationRow>
}

const people = values('user', 40)
const CALLS = [
  ...people.map((user) => call('web', 'GET', `/users/${user}`)),
  ...people.slice(0, 9).map((user) => call('admin', 'DELETE', `/users/${user}`)),
  call('web', 'GET', '/users/me', [], { requests: 90, denied: 0 }),
  call('job', 'GET', `/users/${people[0]}`, [], { requests: 2, denied: 0 }),
  ...people.slice(1, 9).map((user) => call('job', 'GET', `/users/${user}`, [], { requests: 0, denied: 3 })),
  ...people.map((user) => call('web', 'GET', `/files/${user}.pdf`)),
  ...people.map((user) => call('web', 'GET', `/keys/${user}==`, ['equals'])),
  ...people.map((user) => call('web', 'GET', `/odd/${user}[0]`)),
  ...people.map((user) => call('web', 'GET', `/bad/${user}"`, ['unusual'])),
  ...people.map((user) => call('web', 'GET', `//twice/${user}`, ['double_slash'])),
  call('web', 'GET', '/routes/{name}', ['route'], { requests: 50, denied: 0 }),
]

/** What the job would have stored of these calls. */
function templatesOf(calls: readonly Call<OperationRow>[]): Map<string, TemplateOf> {
  const paths = Map.groupBy(calls, ({ row }) => `${row.method} ${row.shape}`)
  const seen = [...paths.values()].flatMap((same) => {
    const [first] = same
    const served = same.filter(({ row }) => row.requests > 0)
    const requests = served.reduce((sum, { row }) => sum + row.requests, 0)
    const callers = new Map(served.map(({ row, source }) => [row.source_workload, source.id]))
    return first ? [seenPath({ ...first.row, requests, edges: [...callers.keys()] }, callers)] : []
  })
  return new Map([['shop/users', learnTemplates(seen).templateOf]])
}
const templated = () => withTemplates(CALLS, templatesOf(CALLS))
const pathsOf = (calls: readonly Call<OperationRow>[], caller: string) =>
  new Set(calls.filter(({ source }) => source.workload === caller).map(({ row }) => `${row.method} ${row.shape}`))

test('calls have the templates of their paths; one that was used for one path stays as it was', () => {
  const calls = templated()
  expect(calls).toHaveLength(CALLS.length)
  const web = pathsOf(calls, 'web')
  for (const path of ['/users/{value}', '/users/me', '/files/{value}.pdf', '/routes/{name}'])
    expect(web).toContain(`GET ${path}`)
  expect(pathsOf(calls, 'admin')).toEqual(new Set(['DELETE /users/{value}']))
  // Denied requests earn nothing, so of the paths of the job only one counts.
  expect(pathsOf(calls, 'job')).not.toContain('GET /users/{value}')
  expect(web).toContain(`GET /odd/${people[0]}[0]`)
})

test('policies made of templates serve every request that was observed, path by path, and no other caller', () => {
  const { files, report } = generate(observedOperations(templated()), EMPTY_INVENTORY, targetById('istio'), {
    ...RULES,
    window: WINDOW,
  })
  // Three kinds of path have no template; of the web's others five operations are left, and one each of the others'.
  expect(report.permissions).toHaveLength(3 * people.length + 5 + 1 + 1)
  const assumed = { principal: RULES.principalRule, selector: RULES.selectorRule }
  const result = replay(files, observedOperations(CALLS), { inventory: EMPTY_INVENTORY, window: WINDOW, assumed })
  expect(result.newly_denied).toEqual([])
  expect(result.newly_allowed).toEqual([])
  expect(result.uncertain).toEqual([])
  expect(result.still_denied).toBe(8 * 3)
})

test('a tree of files is one permission, which serves all of it and says how wide it is; other callers below it are named', () => {
  const calls = [
    ...FILES.map((path) => call('web', 'GET', path)),
    call('job', 'GET', FILES[1] ?? '', [], { requests: 3, denied: 0 }),
    call('admin', 'GET', '/files/keys/a/b', [], { requests: 6, denied: 0 }),
  ]
  const templated = observedOperations(withTemplates(calls, templatesOf(calls)))
  const { files, report } = generate(templated, EMPTY_INVENTORY, targetById('istio'), { ...RULES, window: WINDOW })
  const granted = report.permissions.map(
    ({ caller, operation }) => `${caller.principal.split('/').at(-1)} ${operation.path}`,
  )
  expect(granted.sort()).toEqual(['admin /files/keys/a/b', `job ${FILES[1]}`, 'web /files/{**}'])
  expect(files.some(({ content }) => content.includes('- /files/*\n'))).toBe(true)
  expect(report.loss.find(({ kind }) => kind === 'template_tail')).toMatchObject({ done: 'noted', path: '/files/{**}' })
  expect(JSON.stringify(report.loss)).toContain('/files/keys/a/b')
  const assumed = { principal: RULES.principalRule, selector: RULES.selectorRule }
  const context = { inventory: EMPTY_INVENTORY, window: WINDOW, assumed }
  const below = observedOperations([
    call('web', 'GET', '/files/new/at/any/depth.md'),
    call('web', 'GET', '/files'),
    call('job', 'GET', '/files/new.md'),
  ])
  expect(replay(files, observedOperations(calls), context)).toMatchObject({ newly_denied: [], uncertain: [] })
  const result = replay(files, below, context)
  expect(result.still_allowed).toBe(1)
  expect(result.newly_denied.map(({ source, path }) => `${source.split('/').at(-1)} ${path}`).sort()).toEqual([
    'job /files/new.md',
    'web /files',
  ])
})
