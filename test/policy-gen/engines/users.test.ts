import { isAuthorized, validate } from '@cedar-policy/cedar-wasm/nodejs'
import { describe, expect, it } from 'vitest'
import { generate } from '../../../policy-gen/generate.ts'
import { replay } from '../../../policy-gen/replay/replay.ts'
import { targetById } from '../../../policy-gen/targets/index.ts'
import type { PolicyFile } from '../../../policy-gen/targets/target.ts'
import type { Inventory } from '../../../services/model/inventory.ts'
import type { ObservedOperation } from '../../../services/model/operation.ts'
import { inventoryOf, operation, type ShortUsers, seeded, usersOf, WINDOW } from '../support.ts'
import { HOSTILE, hostileText } from './attempts.ts'
import { decidable, rego } from './opa.ts'

/*
 * Operations that only users of some issuers and groups used, with names that mean something to the languages: each engine is asked
 * with what a token says, and so is replay. What they must answer is told by plain comparison with who was observed.
 */
const TIMEOUT_MS = 240_000
const OPERATIONS = 12
const ATTEMPTS = 2_500
const ISSUERS = ['https://id.example', 'https://id.example/', 'https://ID.example', 'urn:x:"y"']

interface Token {
  iss: string
  groups: string[]
}
interface Observed {
  call: ObservedOperation
  tokens: Token[]
}
interface Attempt {
  call: ObservedOperation
  token: Token | null
}

/** Each operation with users who all have a group of a few; two operations with no token now and then. */
function world(seed: number): { observed: Observed[]; attempts: Attempt[]; inventory: Inventory } {
  const random = seeded(seed)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const names = [...HOSTILE, ...Array.from({ length: 20 }, () => hostileText(random))].filter((name) => name !== '')
  const observed = Array.from({ length: OPERATIONS }, (_, at): Observed => {
    const tokens = Array.from({ length: 3 }, () => ({ iss: pick(ISSUERS), groups: [pick(names), pick(names)] }))
    const users: ShortUsers = {
      without: at < 2 ? 4 : 0,
      seen: tokens.map(({ iss, groups }) => ({ issuer: iss, groups: [...new Set(groups)] })),
    }
    return { call: operation({ path: `/p${at}`, requests: 40, users }), tokens }
  })
  const attempts = Array.from({ length: ATTEMPTS }, (): Attempt => {
    const { call, tokens } = pick(observed)
    const path = pick([call.path, call.path, call.path, `${call.path}/`, pick(observed).call.path])
    const base = pick(tokens)
    const token = pick([
      null,
      base,
      base,
      { ...base, groups: base.groups.slice(1) },
      { ...base, groups: [pick(names), pick(names)] },
      {
        ...base,
        groups: base.groups.map((name) =>
          pick([`${name} `, name.toUpperCase(), `*${name}`, [...name].slice(1).join('')]),
        ),
      },
      { ...base, groups: [] },
      { ...base, iss: pick([...ISSUERS, 'https://evil.example']) },
    ])
    return { call: { ...call, path, requests: 1 }, token }
  })
  return { observed, attempts, inventory: inventoryOf(observed.map(({ call }) => call)) }
}

const told = (token: Token | null): ShortUsers => ({
  without: token ? 0 : 1,
  seen: token ? [{ issuer: token.iss, groups: [...new Set(token.groups)] }] : [],
})

/** What the conditions in the report say of an attempt, which is not what the files say. */
function grantedBy(report: ReturnType<typeof generate>['report']) {
  return ({ call, token }: Attempt): boolean =>
    report.permissions.some(({ operation: { path }, conditions }) => {
      const claims: Record<string, string[]> = token ? { iss: [token.iss], groups: token.groups } : {}
      const holds = conditions.every(({ key, values }) => {
        const own = claims[key.replace(/^request\.auth\.claims\[|\]$/g, '')] ?? []
        return own.some((value) => values.includes(value))
      })
      return path === call.path && holds
    })
}

type Engine = (files: readonly PolicyFile[], attempts: readonly Attempt[]) => boolean[]

const ENGINES: Record<string, Engine> = {
  cedar: (files, attempts) => {
    const textOf = (ending: string) => files.find(({ path }) => path.endsWith(ending))?.content ?? ''
    const [schema, policies] = [textOf('.cedarschema'), textOf('.cedar')]
    expect(validate({ policies: { staticPolicies: policies }, schema })).toMatchObject({ validationErrors: [] })
    return attempts.map(({ call: { source, destination, method, path, workloadPort }, token }) => {
      const user = token ? { user: { issuer: token.iss, groups: [...new Set(token.groups)] } } : {}
      const answer = isAuthorized({
        principal: { type: 'Cinch::Identity', id: source.principal },
        action: { type: 'Cinch::Action', id: 'request' },
        resource: { type: 'Cinch::Callee', id: destination.id },
        context: { port: workloadPort, method, path, ...user },
        schema,
        validateRequest: true,
        policies: { staticPolicies: policies },
        entities: JSON.parse(textOf('entities.json')),
      })
      if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors))
      return answer.response.decision === 'allow'
    })
  },
  'opa-rego': (files, attempts) => {
    const policy = files.filter(({ path }) => path === 'policy.rego' || path === 'data.json')
    return rego?.(policy, attempts.map(inputOf)) ?? []
  },
}

function inputOf({ call: { source, destination, method, path, workloadPort }, token }: Attempt) {
  const metadata = token ? { 'envoy.filters.http.jwt_authn': { payload: { sub: 'somebody', ...token } } } : {}
  return {
    attributes: {
      source: { principal: `spiffe://${source.principal}` },
      destination: { address: { socketAddress: { portValue: workloadPort } } },
      request: { http: { method, path } },
      contextExtensions: { 'cinch.callee': destination.id },
      metadataContext: { filterMetadata: metadata },
    },
  }
}

describe.each(Object.keys(ENGINES))('%s asks for users', { timeout: TIMEOUT_MS }, (id) => {
  const target = decidable.find((one) => one.id === id)

  it.skipIf(!target).each([1, 2, 3, 4])('as its engine and as replay decide; batch %i', (seed) => {
    const { observed, attempts, inventory } = world(seed)
    const operations = observed.map(({ call }) => call)
    const options = { window: WINDOW, userConditions: true }
    const { files, report } = generate(operations, inventory, targetById(id), options)
    expect(report.loss.map(({ kind }) => kind)).toEqual(['token_verification'])
    expect(report.permissions.filter(({ conditions }) => conditions.length === 2).length).toBe(OPERATIONS - 2)
    const granted = grantedBy(report)
    const decided = ENGINES[id]?.(files, attempts) ?? []
    const asked = attempts.map(({ call, token }, at) => ({
      ...call,
      users: usersOf(told(token), 1),
      firstSeen: `#${at}`,
    }))
    const result = replay(files, asked, { inventory, window: WINDOW, rego })
    const refused = new Set(result.newly_denied.map(({ first_seen }) => first_seen))
    const wrong = attempts.flatMap((attempt, at) => {
      const said = { expected: granted(attempt), engine: decided[at], replay: !refused.has(`#${at}`) }
      return said.expected === said.engine && said.engine === said.replay ? [] : [{ attempt, said }]
    })
    expect(wrong.slice(0, 3)).toEqual([])
    expect(result.uncertain).toEqual([])
    expect(Math.min(refused.size, attempts.length - refused.size)).toBeGreaterThan(ATTEMPTS / 5)
    // What was observed stays; of many users at once, each is decided by itself.
    expect(replay(files, operations, { inventory, window: WINDOW, rego }).still_allowed).toBe(40 * OPERATIONS)
  })

  it.skipIf(!target)('and what is not known of users is uncertain only where it matters', () => {
    const seen = [{ issuer: 'https://id.example', groups: ['staff'] }]
    const calls = [
      operation({ users: { without: 0, seen } }),
      operation({ path: '/open', users: { without: 9, seen } }),
    ]
    const inventory = inventoryOf(calls)
    const options = { window: WINDOW, userConditions: true }
    const { files } = generate(calls, inventory, targetById(id), options)
    const verdict = (short: Parameters<typeof operation>[0]) => {
      const { still_allowed, newly_denied, uncertain } = replay(files, [operation(short)], {
        ...{ inventory, window: WINDOW, rego },
      })
      const sum = (list: { requests: number }[]) => list.reduce((all, { requests }) => all + requests, 0)
      return [still_allowed, sum(newly_denied), sum(uncertain)]
    }
    const user = (one: ShortUsers['seen'][number]) => ({ users: { without: 0, seen: [one] } })
    const [issuer = ''] = ISSUERS
    expect(verdict({})).toEqual([0, 0, 10])
    expect(verdict({ path: '/open' })).toEqual([10, 0, 0])
    expect(verdict({ path: '/none' })).toEqual([0, 10, 0])
    expect(verdict({ from: 'shop/other' })).toEqual([0, 10, 0])
    expect(verdict(user({ issuer, groups: null }))).toEqual([0, 0, 10])
    expect(verdict(user({ issuer: 'https://evil.example', groups: null }))).toEqual([0, 10, 0])
    expect(verdict(user({ issuer, groups: ['x'], moreGroups: true }))).toEqual([0, 0, 10])
    expect(verdict({ users: { without: 3, untold: 2, seen } })).toEqual([5, 3, 2])
  })
})
