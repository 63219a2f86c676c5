import { describe, expect, it } from 'vitest'
import { generate } from '../../policy-gen/generate.ts'
import { replay } from '../../policy-gen/replay/replay.ts'
import { targets } from '../../policy-gen/targets/index.ts'
import type { PolicyFile } from '../../policy-gen/targets/target.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import type { EditableRule, Editor } from './editors/editor.ts'
import { EDITORS } from './editors/index.ts'
import { DISJOINT_PATHS, randomOperations } from './random.ts'
import { inventoryOf, operation, seeded, WINDOW } from './support.ts'

/**
 * Replay is no tautology: rendered policies are damaged in known ways, and replay must report exactly the calls that the
 * damage concerns. Which those are is computed here from the observed operations and the damaged files' own lists, by
 * plain comparison of strings: this file knows nothing of the evaluator.
 */

/** One place of the rendered rules, chosen at random. */
interface Place {
  rule: EditableRule
  to: EditableRule['entries'][number]
  pick: <T>(items: readonly T[]) => T
}

interface Mutation {
  name: string
  /** Damages the rule in place, and says which observed operations it meant; null where it does not fit here. */
  apply: (place: Place) => ((call: ObservedOperation) => boolean) | null
  /** The damage lets in instead of keeping out. */
  widens?: true
}

/** Whether an observed call was granted by this very entry of the rule, as it was before the damage. */
function inEntry(place: Place): (call: ObservedOperation) => boolean {
  const principals = [...place.rule.principals]
  const { ports, methods, paths } = structuredClone(place.to)
  return (call) =>
    call.destination.id === place.rule.callee &&
    principals.includes(call.source.principal) &&
    ports.includes(String(call.workloadPort)) &&
    methods.includes(call.method) &&
    paths.includes(asTemplate(call.path))
}

const OPERATIONS = 60
/** Places that are tried before the policies are given up: not every damage fits everywhere. */
const PLACES = 40

function asTemplate(path: string): string {
  return path.replace(/\{\w+\}/g, '{*}')
}

function replaceIn(list: string[], old: string, text: string): void {
  list[list.indexOf(old)] = text
}

const MUTATIONS: Mutation[] = [
  {
    name: 'a method dropped',
    apply: (place) => {
      if (place.to.methods.length < 2) return null
      const was = inEntry(place)
      const method = place.pick(place.to.methods)
      place.to.methods.splice(place.to.methods.indexOf(method), 1)
      return (call) => was(call) && call.method === method
    },
  },
  {
    name: "the service's port for the workload's",
    apply: (place) => {
      const was = inEntry(place)
      const port = place.pick(place.to.ports)
      replaceIn(place.to.ports, port, port === '8080' ? '80' : '90')
      return (call) => was(call) && String(call.workloadPort) === port
    },
  },
  {
    name: 'a star in place of {*}',
    apply: (place) => {
      const path = place.to.paths.find((text) => /\{\*\}\//.test(text))
      if (!path) return null
      const was = inEntry(place)
      replaceIn(place.to.paths, path, path.replace('{*}', '*'))
      return (call) => was(call) && asTemplate(call.path) === path
    },
  },
  {
    name: 'a trailing slash',
    apply: (place) => {
      const was = inEntry(place)
      const path = place.pick(place.to.paths)
      replaceIn(place.to.paths, path, `${path}/`)
      return (call) => was(call) && asTemplate(call.path) === path
    },
  },
  {
    name: 'another namespace in the principal',
    apply: (place) => {
      const { principals, entries } = place.rule
      const principal = place.pick(principals)
      replaceIn(principals, principal, principal.replace(/\/ns\/\w+\//, '/ns/elsewhere/'))
      const was = entries.map((to) => inEntry({ ...place, to, rule: { ...place.rule, principals: [principal] } }))
      return (call) => was.some((test) => test(call))
    },
  },
  {
    name: 'a method in small letters',
    apply: (place) => {
      const was = inEntry(place)
      const method = place.pick(place.to.methods)
      replaceIn(place.to.methods, method, method.toLowerCase())
      return (call) => was(call) && call.method === method
    },
  },
  {
    name: 'an extra caller',
    widens: true,
    apply: (place) => {
      const intruder = 'cluster.local/ns/bank/sa/intruder'
      place.rule.principals.push(intruder)
      const was = place.rule.entries.map((to) =>
        inEntry({ ...place, to, rule: { ...place.rule, principals: [intruder] } }),
      )
      return (call) => was.some((test) => test(call))
    },
  },
  {
    name: 'an extra path',
    widens: true,
    apply: (place) => {
      if (place.to.paths.includes('/secret')) return null
      place.to.paths.push('/secret')
      const was = inEntry(place)
      return (call) => was(call) && call.path === '/secret'
    },
  },
]

/** Denied attempts: an intruder tries everything that was observed, and everybody tries a path that nobody may use. */
function attempts(operations: ObservedOperation[]): ObservedOperation[] {
  const { source } = operation({ from: 'bank/intruder' })
  const intruder = operations.map((call, at) => ({ ...call, source, requests: 0, denied: 1000 + at }))
  const secret = operations.map((call, at) => ({ ...call, path: '/secret', requests: 0, denied: 5000 + at }))
  const distinct = new Map<string, ObservedOperation>()
  for (const call of [...intruder, ...secret]) {
    distinct.set(
      JSON.stringify([call.source.principal, call.destination.id, call.method, call.path, call.workloadPort]),
      call,
    )
  }
  return [...distinct.values()]
}

function mutate(files: PolicyFile[], editor: Editor, mutation: Mutation, random: () => number) {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const allowing = files.filter((file) => editor.allows(file))
  for (let tries = 0; tries < PLACES; tries++) {
    const file = pick(allowing)
    const { rules, save } = editor.open(file)
    const rule = pick(rules)
    const concerns = mutation.apply({ rule, to: pick(rule.entries), pick })
    if (!concerns) continue
    const content = save()
    return { concerns, files: files.map((other) => (other === file ? { ...file, content } : other)) }
  }
  return null
}

const key = (source: string, destination: string, method: string, path: string, port: number, requests: number) =>
  [source, destination, method, path, port, requests].join(' ')
const callKey = (call: ObservedOperation, requests: number) =>
  key(call.source.principal, call.destination.id, call.method, call.path, call.workloadPort, requests)

it('every target has an editor, or a reason', () => {
  expect(Object.keys(EDITORS).sort()).toEqual(targets.map(({ id }) => id).sort())
})

const EDITED = targets.flatMap((target) => {
  const editor = EDITORS[target.id]
  return editor && 'open' in editor ? MUTATIONS.map((mutation) => ({ id: target.id, target, editor, mutation })) : []
})

describe.each(EDITED)('$id: $mutation.name', ({ target, editor, mutation }) => {
  it('is reported with the right calls, whatever the policies', { timeout: 120_000 }, () => {
    let applied = 0
    let concerned = 0
    for (let seed = 1; applied < 25 && seed < 100; seed++) {
      const operations = randomOperations(seed, OPERATIONS, DISJOINT_PATHS)
      const inventory = inventoryOf(operations)
      const generated = generate(operations, inventory, target, { window: WINDOW })
      const files = generated.files.filter((file) => !editor.guards?.(file))
      const mutated = mutate(files, editor, mutation, seeded(seed))
      if (!mutated) continue
      applied++
      const tried = attempts(operations)
      const result = replay(mutated.files, [...operations, ...tried], { inventory, window: WINDOW })
      const reported = (calls: typeof result.newly_denied) =>
        calls
          .map((call) => key(call.source, call.destination, call.method, call.path, call.workload_port, call.requests))
          .sort()
      const lost = mutation.widens
        ? []
        : operations.filter(mutated.concerns).map((call) => callKey(call, call.requests))
      const gained = mutation.widens ? tried.filter(mutated.concerns).map((call) => callKey(call, call.denied)) : []
      expect(reported(result.newly_denied), `seed ${seed}`).toEqual(lost.sort())
      expect(reported(result.newly_allowed), `seed ${seed}`).toEqual(gained.sort())
      expect(result.uncertain).toEqual([])
      concerned += lost.length + gained.length
    }
    expect(applied).toBe(25)
    expect(concerned).toBeGreaterThanOrEqual(25)
  })
})
