import type { DeployedRule } from '../../../services/model/diff.ts'
import { TEMPLATE_VALUE } from '../../template-characters.ts'
import { RULES_MAX, type RuleField } from '../deployed.ts'
import { fail, field, isRecord, type Reader } from '../fields.ts'
import { items, message, oneOf } from './proto.ts'
import { readStringMatcher, type StringPattern } from './strings.ts'

/** A node of a permission or principal tree that is no list of others. */
export interface Leaf {
  kind: string
  inner: unknown
  raw: unknown
}

/** A tree as alternatives, each of what must hold together; ports stay one list, since a rule is seldom about one of them. */
export function conjunctions(raw: unknown, kinds: readonly string[], reader: Reader): Leaf[][] {
  const [kind, inner] = oneOf(raw, reader, kinds)
  const at = field(reader, kind)
  const parts = (name: string) => items(message(inner, at, [name])[name], at, (one) => one)
  const leaf = { kind, inner, raw }
  if (kind === 'any') return [[]]
  if (kind === 'or_rules' || kind === 'or_ids') {
    const list = parts(kind.slice('or_'.length))
    return list.every(isPort) ? [[leaf]] : list.flatMap((one) => conjunctions(one, kinds, at))
  }
  if (kind !== 'and_rules' && kind !== 'and_ids') return [[leaf]]
  return parts(kind.slice('and_'.length)).reduce<Leaf[][]>(
    (found, one) => {
      const own = conjunctions(one, kinds, at)
      if (found.length * own.length > RULES_MAX) fail(at, `allows more than ${RULES_MAX} combinations; split its lists`)
      return found.flatMap((left) => own.map((right) => [...left, ...right]))
    },
    [[]],
  )
}

function isPort(node: unknown): boolean {
  return isRecord(node) && Object.keys(node).every((name) => /^destination_?port(_?range)?$/i.test(name))
}

type Words = Pick<DeployedRule, 'source' | 'port' | 'method' | 'path' | 'conditions'>

const READER: Reader = { file: '', at: '' }
/** What is not HTTP's: a filter for connections can ask it. */
const PLAIN = new Set([
  'authenticated',
  'custom',
  'destination_port',
  'destination_port_range',
  'destination_ip',
  'or_rules',
])

/** What a part says, for people, and what of it is open. */
export function describe(
  who: readonly Leaf[],
  what: readonly Leaf[],
): { rule: Words; open: RuleField[]; http: boolean } {
  const rule: Words = { source: '', port: 0, method: '', path: '', conditions: [] }
  const open = new Set<RuleField>(['source', 'method', 'path'])
  const say = (name: 'source' | 'method' | 'path', { text, wide }: Said) => {
    rule[name] = text
    if (!wide) open.delete(name)
  }
  for (const leaf of [...who, ...what]) {
    const said = wordsOf(leaf)
    if (said && rule[said.name] === '') say(said.name, said)
    else if (leaf.kind === 'destination_port' && rule.port === 0) rule.port = Number(leaf.inner)
    else rule.conditions.push(conditionText(leaf))
  }
  return { rule, open: [...open], http: [...who, ...what].some(({ kind }) => !PLAIN.has(kind)) }
}

function conditionText({ kind, inner }: Leaf): string {
  const list = isRecord(inner) && kind === 'or_rules' ? inner['rules'] : undefined
  if (!Array.isArray(list)) return `${kind}: ${JSON.stringify(inner)}`
  return `ports: ${list.map((one) => JSON.stringify(Object.values(one as object)[0])).join(', ')}`
}

interface Said {
  text: string
  /** It stands for much more than one. */
  wide: boolean
}

function wordsOf({ kind, inner }: Leaf): (Said & { name: 'source' | 'method' | 'path' }) | null {
  const record = isRecord(inner) ? inner : {}
  if (kind === 'authenticated') {
    const name = record['principal_name'] ?? record['principalName']
    if (name === undefined) return null
    const { text, wide } = patternText(readStringMatcher(name, READER))
    return { name: 'source', text: text.replace(/^spiffe:\/\//, ''), wide }
  }
  if (kind === 'header' && record['name'] === ':method') {
    const exact = exactMethod(record)
    return exact === null ? null : { name: 'method', text: exact, wide: false }
  }
  if (kind === 'url_path') return { name: 'path', ...patternText(readStringMatcher(record['path'], READER)) }
  if (kind === 'uri_template') {
    const config = record['typed_config'] ?? record['typedConfig']
    const template = isRecord(config) ? (config['path_template'] ?? config['pathTemplate']) : undefined
    return typeof template === 'string' ? { name: 'path', text: templateText(template), wide: false } : null
  }
  return null
}

function exactMethod(header: Record<string, unknown>): string | null {
  if (header['invert_match'] ?? header['invertMatch']) return null
  const match = header['string_match'] ?? header['stringMatch']
  const exact = header['exact_match'] ?? header['exactMatch'] ?? (isRecord(match) ? match['exact'] : undefined)
  const folded = isRecord(match) && (match['ignore_case'] ?? match['ignoreCase'])
  return typeof exact === 'string' && !folded ? exact : null
}

function patternText(pattern: StringPattern): Said {
  if (pattern.is === 'open') return { text: '(an extension decides)', wide: true }
  if (pattern.is === 'regex') return regexText(pattern.regex)
  const { is, text } = pattern
  if (is === 'exact') return { text, wide: false }
  return { text: `${is === 'prefix' ? '' : '*'}${text}${is === 'suffix' ? '' : '*'}`, wide: true }
}

const VALUE = TEMPLATE_VALUE.source.slice(1, -1)

/** A regular expression that is a template reads as one. */
function regexText(regex: string): Said {
  const tail = regex.endsWith('/.*')
  const parts = (tail ? regex.slice(0, -'.*'.length) : regex).split(VALUE)
  const isPlain = parts.every((part) => /^(?:\\[^a-zA-Z0-9]|[^\\.*+?^${}()|[\]])*$/.test(part))
  if (!isPlain) return { text: `~${regex}`, wide: /\.[*+]/.test(regex) }
  const text = parts.map((part) => part.replace(/\\(.)/g, '$1')).join('{*}')
  return { text: tail ? `${text}{**}` : text, wide: false }
}

/** As Istio writes templates: a star is what stands in braces. */
function templateText(template: string): string {
  return template
    .split('/')
    .map((segment) => (/^\*\*?$/.test(segment) ? `{${segment}}` : segment.replace(/^\{\w+(=\*)?\}$/, '{*}')))
    .join('/')
}
