import { isRecord } from '../fields.ts'
import type { PolicyJson } from './engine.ts'

/** One method and one path of a policy: what it says, and the policy that says no more than that. */
export interface Part {
  port: number
  method: string
  /** `{*}` is a parameter within its segment, a plain star anything. */
  path: string
  pathOpen: boolean
  conditions: string[]
  json: PolicyJson
}

type Node = Record<string, unknown>

/** What one test of a policy looks at, as alternatives of which one must hold. */
interface Test {
  about: 'port' | 'method' | 'path' | 'guard' | 'other'
  alternatives: { text: string; open: boolean; node: Node }[]
}

/** The parts of a policy that permits; itself alone where its conditions are not tests in a row. */
export function partsOf(json: PolicyJson): Part[] {
  const bodies = json.conditions.filter(({ kind }) => kind === 'when')
  const when = withTemplate(bodies.flatMap(({ body }) => conjuncts(body as Node)))
  const unless = json.conditions.filter(({ kind }) => kind === 'unless')
  const tests = when.map(testOf)
  const methods = alternativesOf(tests, 'method')
  const paths = alternativesOf(tests, 'path')
  const [port, ...ports] = tests.filter(({ about }) => about === 'port').flatMap(({ alternatives }) => alternatives)
  const rest = tests.filter(({ about }) => about === 'other').flatMap(({ alternatives }) => alternatives)
  const conditions = [
    ...(port && ports.length > 0 ? [`ports: ${[port, ...ports].map(({ text }) => text).join(', ')}`] : []),
    ...rest.map(({ text }) => text),
    ...unless.map(({ body }) => `unless ${JSON.stringify(body)}`),
  ]
  // What asks for an attribute stands before what reads it; what is known before what may not be: partial evaluation stops at the first.
  const of = (...kinds: Test['about'][]) => when.filter((_, at) => kinds.includes(tests[at]?.about ?? 'other'))
  const [before, after] = [of('guard', 'port'), of('other')]
  return methods.flatMap((method) =>
    paths.map((path): Part => {
      const body = joined([...before, ...[method.node, path.node].filter((node) => node !== null), ...after])
      const own = body === null ? [] : [{ kind: 'when' as const, body }]
      return {
        port: ports.length === 0 ? Number(port?.text ?? 0) : 0,
        ...{ method: method.text, path: path.text, pathOpen: path.open, conditions },
        json: { ...json, conditions: [...(own as PolicyJson['conditions']), ...unless] },
      }
    }),
  )
}

const ANY = { text: '', open: true, node: null }

/** Of several tests of the same, one is taken apart and the others stand beside it. */
function alternativesOf(tests: Test[], about: 'method' | 'path'): { text: string; open: boolean; node: Node | null }[] {
  const [first, ...more] = tests.filter((test) => test.about === about)
  for (const test of more) test.about = 'other'
  return first?.alternatives ?? [ANY]
}

function conjuncts(node: Node): Node[] {
  const both = node['&&']
  return isRecord(both) ? [...conjuncts(both['left'] as Node), ...conjuncts(both['right'] as Node)] : [node]
}

function disjuncts(node: Node): Node[] {
  const either = node['||']
  return isRecord(either) ? [...disjuncts(either['left'] as Node), ...disjuncts(either['right'] as Node)] : [node]
}

function joined(nodes: readonly Node[]): Node | null {
  const [first, ...more] = nodes
  return first ? more.reduce<Node>((left, right) => ({ '&&': { left, right } }), first) : null
}

/** A template that stands alone is tests in a row, too: they are one. */
function withTemplate(nodes: readonly Node[]): Node[] {
  const likes = nodes.filter((node) => likeTexts(node) !== null)
  const [like] = likes
  if (!like || likes.length > 1) return [...nodes]
  const excluded = nodes.filter((node) => excludedTexts(node) !== null)
  const others = nodes.filter((node) => node !== like && !excluded.includes(node))
  return [...others, joined([like, ...excluded]) ?? like]
}

function testOf(node: Node): Test {
  const has = node['has']
  if (isRecord(has) && attributeOf({ '.': has }) !== null) return { about: 'guard', alternatives: [] }
  const words = disjuncts(node).map(comparisonsOf)
  const [first] = words
  const [one] = first ?? []
  const same = one && words.every((list) => list?.every(({ about }) => about === one.about))
  if (!same) return { about: 'other', alternatives: [{ text: JSON.stringify(node), open: false, node }] }
  return { about: one.about, alternatives: words.flatMap((list) => list ?? []) }
}

interface Comparison {
  about: 'port' | 'method' | 'path'
  text: string
  open: boolean
  node: Node
}

/** `context.method == "GET"`, `["a", "b"].contains(context.path)`, or a path that is like something. */
function comparisonsOf(node: Node): Comparison[] | null {
  const template = templateOf(node)
  if (template) return [{ about: 'path', ...template, node }]
  const { left, right } = (isRecord(node['==']) ? node['=='] : {}) as { left?: Node; right?: Node }
  const contains = (isRecord(node['contains']) ? node['contains'] : {}) as { left?: Node; right?: Node }
  const about = attributeOf(left) ?? attributeOf(contains.right)
  if (about !== 'port' && about !== 'method' && about !== 'path') return null
  const values = left ? [right?.['Value']] : membersOf(contains.left)
  if (!values?.every((value) => typeof value === 'string' || typeof value === 'number')) return null
  const attribute = left ?? contains.right
  return values.map((value) => ({
    ...{ about, text: String(value), open: false },
    node: { '==': { left: attribute, right: { Value: value } } },
  }))
}

function membersOf(set: Node | undefined): unknown[] | null {
  const { Set: members, Value: value } = set ?? {}
  if (Array.isArray(members)) return members.map((member) => (isRecord(member) ? member['Value'] : undefined))
  return Array.isArray(value) ? value : null
}

/** The attribute of the context that a node is, null where it is none. */
function attributeOf(node: Node | undefined): string | null {
  const access = node?.['.']
  if (!isRecord(access) || !isRecord(access['left']) || access['left']['Var'] !== 'context') return null
  return typeof access['attr'] === 'string' ? access['attr'] : null
}

/** `path like "/a/*"`, open to everything below, or with what keeps each star in its segment: `/a/{*}`. */
function templateOf(node: Node): { text: string; open: boolean } | null {
  const [first, ...more] = conjuncts(node)
  const texts = likeTexts(first)
  if (!texts) return null
  const excluded = more.map(excludedTexts)
  if (excluded.some((one) => one === null)) return null
  const slashes = texts.join('').split('/').length
  const bounded = excluded.some((one) => one?.join('*') === `${'/*'.repeat(slashes)}`)
  return { text: texts.join(bounded ? '{*}' : '*'), open: !bounded }
}

function excludedTexts(node: Node): string[] | null {
  return isRecord(node['!']) ? likeTexts(node['!']['arg'] as Node) : null
}

/** What stands between the stars of a pattern for the path. */
function likeTexts(node: Node | undefined): string[] | null {
  const like = node?.['like']
  if (!isRecord(like) || attributeOf(like['left'] as Node) !== 'path' || !Array.isArray(like['pattern'])) return null
  const texts = ['']
  for (const part of like['pattern']) {
    if (isRecord(part) && typeof part['Literal'] === 'string') texts.push(`${texts.pop() ?? ''}${part['Literal']}`)
    else texts.push('')
  }
  return texts
}
