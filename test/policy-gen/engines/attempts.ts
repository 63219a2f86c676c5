import { normalPath } from '../../../policy-gen/normal-path.ts'
import type { ObservedOperation } from '../../../services/model/operation.ts'
import { concrete, DISJOINT_PATHS, randomOperations } from '../random.ts'
import { operation, seeded } from '../support.ts'

/** No two of these can be the same request either; their characters mean something to one engine or another. */
const PATHS = [
  ...DISJOINT_PATHS,
  '/files/*',
  '/a*b/{int}/x',
  '/v;n=1/{int}',
  '/q="1"/$1',
  '/%2f/a%2Fb',
  '//double/{hex}',
  '/dir/{date}/',
  '/back\\slash',
  '/pages/p-{int}.html',
  '/w+(x)[y]|z^/{int}',
]
const WORDS = ['latest', 'admin', 'a=b', '*', 'a[0]', '12', 'a%2fb', 'a;v=1', '%zz', 'x~y', '', '.', '..', '%2e%2e']
const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'get', 'GET ', 'GETX', '*']
const SEGMENTS: ((text: string) => string)[] = [
  (text) => `${text}=`,
  (text) => `${text};v=1`,
  (text) => `${text}%2f`,
  (text) => `${text}*`,
  (text) => `x/../${text}`,
  (text) => `/${text}`,
  (text) => `${text}/`,
  (text) => text.toUpperCase(),
  (text) => text.slice(1),
]

/** What was observed, with paths that are hard on engines. */
export function observed(seed: number, count: number): ObservedOperation[] {
  return randomOperations(seed, count, PATHS)
}

/** Requests around what was observed, in the form in which a proxy asks; about half are changed in one respect or two. */
export function attemptsAround(
  operations: readonly ObservedOperation[],
  seed: number,
  count: number,
): ObservedOperation[] {
  const random = seeded(seed)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const stranger = operation({ from: 'bank/stranger' }).source
  const onSegment = (path: string, change: (text: string) => string) => {
    const segments = path.split('/')
    const at = 1 + Math.floor(random() * (segments.length - 1))
    return segments.map((text, index) => (index === at ? change(text) : text)).join('/')
  }
  const changes: ((call: ObservedOperation) => ObservedOperation)[] = [
    (call) => ({ ...call, source: pick([stranger, pick(operations).source]) }),
    (call) => ({ ...call, destination: pick(operations).destination }),
    (call) => ({ ...call, method: pick(METHODS) }),
    (call) => ({ ...call, workloadPort: pick([8080, 9090, 80, 65_535]) }),
    (call) => ({ ...call, path: onSegment(call.path, () => pick(WORDS)) }),
    (call) => ({ ...call, path: onSegment(call.path, pick(SEGMENTS)) }),
    (call) => ({ ...call, path: onSegment(call.path, pick(SEGMENTS)) }),
    (call) => ({ ...call, path: call.path.endsWith('/') ? call.path.slice(0, -1) : `${call.path}/` }),
    (call) => ({ ...call, path: concrete(pick(operations).path, 5) }),
  ]
  const found: ObservedOperation[] = []
  while (found.length < count) {
    const base = pick(operations)
    let call: ObservedOperation = { ...base, path: concrete(base.path, found.length + 1), requests: 1, denied: 0 }
    for (let times = pick([0, 0, 1, 1, 2]); times > 0; times--) call = pick(changes)(call)
    const path = normalPath(call.path)
    // What a proxy refuses, no policy is asked about.
    if (path !== null) found.push({ ...call, path, pathFlags: [], firstSeen: `#${found.length}` })
  }
  return found
}

/**
 * Whether a request was granted, by plain comparison with what was observed: same caller, callee, port and method, and
 * the path with each parameter as `values` says it.
 */
export function grantedBy(operations: readonly ObservedOperation[], values: Record<string, string>) {
  const keyOf = ({ source, destination, method, workloadPort }: ObservedOperation) =>
    JSON.stringify([source.principal, destination.id, method, workloadPort])
  const patterns = new Map<string, RegExp[]>()
  for (const one of operations) {
    const [head = '', ...parameters] = one.path.split('{')
    const source = parameters.reduce((text, part) => {
      const [name = '', tail = ''] = part.split('}')
      return `${text}(?:${values[name]})${literal(tail)}`
    }, literal(head))
    patterns.set(keyOf(one), [...(patterns.get(keyOf(one)) ?? []), new RegExp(`^${source}$`)])
  }
  return (call: ObservedOperation): boolean =>
    (patterns.get(keyOf(call)) ?? []).some((pattern) => pattern.test(call.path))
}

function literal(text: string): string {
  const normal = text.replace(/[^/]+/g, (segment) => (normalPath(`/${segment}`) ?? '').slice(1))
  return normal.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** Names and texts that mean something to YAML, Cedar, Rego, JSON, shells or templates. */
export const HOSTILE = [
  '"',
  "'",
  '`',
  '\\',
  '\n',
  '\r\n',
  '\u2028',
  '\u0000',
  '*/',
  '//',
  '#',
  ' #',
  ': ',
  '- ',
  '---\n',
  '{{ .Values.x }}',
  ['$', '{HOME}'].join(''),
  '%{x}',
  '\\*',
  '\\u{7f}',
  '"); permit (principal, action, resource); //',
  '"\n}\nallow := true\nx := {"',
  'true',
  'null',
  '0x1F',
  '1_0',
  '~',
  '!!binary',
  '&a',
  '*a',
  '@id',
  '|',
  '>',
  'é',
  '\u{1f600}',
  '__proto__',
  'constructor',
]

/** Seeded texts of hostile pieces and letters. */
export function hostileText(random: () => number): string {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  return Array.from({ length: 1 + Math.floor(random() * 4) }, () =>
    pick([pick(HOSTILE), pick(['a', 'b1', '.x']), pick(HOSTILE)]),
  ).join('')
}
