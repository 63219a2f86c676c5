import {
  checkParseEntities,
  isAuthorized,
  policySetTextToParts,
  policyToJson,
  validate,
} from '@cedar-policy/cedar-wasm/nodejs'
import { describe, expect, it } from 'vitest'
import { generate } from '../../../policy-gen/generate.ts'
import { replay } from '../../../policy-gen/replay/replay.ts'
import { targetById } from '../../../policy-gen/targets/index.ts'
import type { PolicyFile } from '../../../policy-gen/targets/target.ts'
import type { ObservedOperation } from '../../../services/model/operation.ts'
import { inventoryOf, operation, seeded, WINDOW } from '../support.ts'
import { attemptsAround, grantedBy, hostileText, observed } from './attempts.ts'

const TIMEOUT_MS = 240_000
const BATCHES = 5
const ATTEMPTS = 2_100
/** To Cedar, a parameter is any text without a slash. */
const ANY = { int: '[^/]+', hex: '[^/]+', uuid: '[^/]+', date: '[^/]+' }

const cedar = targetById('cedar')
const textOf = (files: readonly PolicyFile[], ending: string) =>
  files
    .filter(({ path }) => path.endsWith(ending))
    .map(({ content }) => content)
    .join('\n')

/** Cedar's own decision, with the request checked against the schema. */
function asked(files: readonly PolicyFile[]): (call: ObservedOperation) => boolean {
  const schema = textOf(files, '.cedarschema')
  const entities = JSON.parse(textOf(files, 'entities.json'))
  const policies = Map.groupBy(files, ({ path }) => /([^/]+)\.cedar$/.exec(path)?.[1] ?? '')
  return ({ source, destination, method, path, workloadPort }) => {
    const file = policies.get(destination.id.replace('/', '.')) ?? []
    const answer = isAuthorized({
      principal: { type: 'Cinch::Identity', id: source.principal },
      action: { type: 'Cinch::Action', id: 'request' },
      resource: { type: 'Cinch::Callee', id: destination.id },
      context: { port: workloadPort, method, path },
      schema,
      validateRequest: true,
      policies: { staticPolicies: textOf(file, '.cedar') },
      entities,
    })
    if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors))
    expect(answer.response.diagnostics.errors).toEqual([])
    return answer.response.decision === 'allow'
  }
}

describe('rendered Cedar policies', { timeout: TIMEOUT_MS }, () => {
  it.each(Array.from({ length: BATCHES }, (_, at) => at + 1))(
    'allow what was observed and nothing else, as Cedar and as replay decide; batch %i',
    (seed) => {
      const operations = observed(seed, 60)
      const inventory = inventoryOf(operations)
      const { files, report } = generate(operations, inventory, cedar, { window: WINDOW })
      expect(report.loss).toEqual([])
      const calls = attemptsAround(operations, seed, ATTEMPTS)
      const granted = grantedBy(operations, ANY)
      const ask = asked(files)
      const result = replay(files, calls, { inventory, window: WINDOW })
      const refused = new Set(result.newly_denied.map(({ first_seen }) => first_seen))
      const wrong = calls.flatMap((call) => {
        const said = { expected: granted(call), cedar: ask(call), replay: !refused.has(call.firstSeen) }
        return said.expected === said.cedar && said.cedar === said.replay ? [] : [{ call, said }]
      })
      expect(wrong.slice(0, 3)).toEqual([])
      expect(result.uncertain).toEqual([])
      expect(Math.min(refused.size, calls.length - refused.size)).toBeGreaterThan(ATTEMPTS / 5)
    },
  )

  it('hold hostile names, methods and paths as they are', () => {
    const random = seeded(7)
    for (let batch = 0; batch < 40; batch++) {
      const operations = Array.from({ length: 8 }, () => {
        const path = encodeURI(`/${hostileText(random).toWellFormed()}`).replace(/[?#{}]/g, '-')
        const to = operation({ path, method: hostileText(random) })
        to.destination.workload = hostileText(random)
        to.destination.cluster = hostileText(random)
        return to
      })
      const inventory = {
        services: [],
        workloads: operations.map(({ destination }, at) => ({
          ...{ cluster: destination.cluster, namespace: 'shop', name: destination.workload },
          ...{ kind: 'Deployment', serviceAccount: '', owner: '', labels: { app: `a${at}` } },
        })),
      }
      const { files, report } = generate(operations, inventory, cedar, { window: WINDOW })
      const text = textOf(files, '.cedar')
      const schema = textOf(files, '.cedarschema')
      expect(validate({ policies: { staticPolicies: text }, schema })).toMatchObject({ validationErrors: [] })
      const entities = JSON.parse(textOf(files, 'entities.json')) as { uid: { id: string }; attrs: object }[]
      expect(checkParseEntities({ entities: entities as never, schema })).toEqual({ type: 'success' })
      const parts = policySetTextToParts(text)
      const written = (parts.type === 'success' ? parts.policies : []).map((policy) => {
        const parsed = policyToJson(policy)
        if (parsed.type === 'failure') throw new Error(policy)
        const { effect, principal, resource, conditions } = parsed.json
        const values = [...JSON.stringify(conditions).matchAll(/\{"Value":("(?:[^"\\]|\\.)*"|\d+)\}/g)]
        return JSON.stringify([effect, principal, resource, values.map(([, value = '']) => JSON.parse(value))])
      })
      const idOf = (cluster: string, workload: string) =>
        entities.find(({ attrs }) => JSON.stringify(attrs) === JSON.stringify({ cluster, namespace: 'shop', workload }))
          ?.uid.id
      const expected = report.permissions
        .filter(
          (one) =>
            !report.loss.some(
              ({ done, path, method }) =>
                done === 'refused' && path === one.operation.path && method === one.operation.method,
            ),
        )
        .map(({ callee, caller, operation: { method, path }, port }) => {
          const entity = { type: 'Cinch::Callee', id: idOf(callee.cluster, callee.workload) }
          const scope = [
            { op: '==', entity: { type: 'Cinch::Identity', id: caller.principal } },
            { op: '==', entity },
          ]
          const normal = path.replaceAll('\\', '/')
          return JSON.stringify(['permit', ...scope, [port, method, normal]])
        })
      expect(written.sort()).toEqual(expected.sort())
      expect(written.length).toBeGreaterThan(0)
    }
  })
})
