import type { LabRequest } from './driver.ts'

/** A choice of the seeded generator. */
export type Pick = <T>(items: readonly T[]) => T

export function picker(random: () => number): Pick {
  return (items) => items[Math.floor(random() * items.length)] as (typeof items)[number]
}

type Habit = [account: string, method: string, path: string, servicePort: number]

/** What the lab's callers do in normal operation; `{…}` is another value in every request. */
const HABITS: Habit[] = [
  ['frontend', 'GET', '/orders', 80],
  ['frontend', 'GET', '/orders/{int}', 80],
  ['frontend', 'POST', '/orders', 80],
  ['frontend', 'GET', '/orders/{int}/items', 80],
  ['frontend', 'GET', '/search?q={int}', 80],
  ['frontend', 'GET', '/catalog/{uuid}/v1.2/{date}', 80],
  ['checkout', 'GET', '/orders/{int}', 80],
  ['checkout', 'POST', '/orders/{int}/pay', 80],
  ['checkout', 'PUT', '/carts/{hex}', 80],
  ['checkout', 'DELETE', '/carts/{hex}/lines/{int}', 80],
  ['checkout', 'GET', '/prices;v=2/{int}', 80],
  ['checkout', 'GET', '/assets/a|b', 80],
  ['checkout', 'GET', '/basket;jsessionid={hex}/lines', 80],
  ['reports', 'GET', '/reports/{date}', 9000],
  ['reports', 'GET', '/reports/{date}/', 9000],
  ['reports', 'GET', '/orders', 80],
  ['reports', 'OPTIONS', '/missing/page', 9000],
  ['backup', 'GET', '/reports/latest', 9000],
  ['backup', 'GET', '/files/a%20b%2Fc', 9000],
  ['backup', 'GET', '/files/YWI=', 9000],
  ['backup', 'GET', '//double//slash', 9000],
  ['backup', 'PATCH', '/x/../export/./run', 9000],
]

/** Seeded normal traffic: every habit, again and again. */
export function normalTraffic(callers: readonly string[], pick: Pick, count: number): LabRequest[] {
  return Array.from({ length: count }, (_, at) => request(callers, HABITS[at % HABITS.length] as Habit, pick))
}

/** Seeded attempts around normal traffic: about as many that are normal as changed ones. */
export function attempts(callers: readonly string[], pick: Pick, count: number): LabRequest[] {
  return Array.from({ length: count }, () => {
    const base = request(callers, pick(HABITS), pick)
    return pick([true, false]) ? base : pick(CHANGES)(base, callers, pick)
  })
}

function request(callers: readonly string[], [account, method, path, servicePort]: Habit, pick: Pick): LabRequest {
  const caller = callers.find((principal) => principal.endsWith(`/sa/${account}`))
  if (!caller) throw new Error(`the lab has no caller ${account}`)
  return { caller, method, path: path.replace(/\{(\w+)\}/g, (_, type: string) => sample(type, pick)), servicePort }
}

function sample(type: string, pick: Pick): string {
  const digits = (count: number, from: string) => Array.from({ length: count }, () => pick([...from])).join('')
  const hex = (count: number) => digits(count, '0123456789abcdef')
  if (type === 'int') return `${pick([1, 7, 40, 123_456])}${digits(2, '0123456789')}`
  if (type === 'date') return `2026-0${pick([1, 5, 9])}-1${pick([0, 4, 9])}`
  if (type === 'hex') return `a1${hex(14)}`
  return `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`
}

type Change = (base: LabRequest, callers: readonly string[], pick: Pick) => LabRequest

const WORDS = [
  'latest',
  'export',
  'admin',
  '..',
  '.',
  'a=b',
  '*',
  'a[0]',
  '12',
  'a%2fb',
  'a;v=1',
  '%61',
  '%',
  'x~y',
  '~',
]
const AROUND = [
  (segment: string) => `${segment}=`,
  (segment: string) => `${segment};v=1`,
  (segment: string) => `${segment}%2f`,
  (segment: string) => `${segment}%2Fx`,
  (segment: string) => `${segment}*`,
  (segment: string) => `${segment}]`,
  (segment: string) => `${segment}|`,
  (segment: string) => `./${segment}`,
  (segment: string) => `x/../${segment}`,
  (segment: string) => `x/%2e%2E/${segment}`,
  (segment: string) => `x/..;a=1/${segment}`,
  (segment: string) => `x\\..\\${segment}`,
  (segment: string) => `/${segment}`,
  (segment: string) => segment.toUpperCase(),
  (segment: string) => `%${segment.charCodeAt(0).toString(16)}${segment.slice(1)}`,
  (segment: string) => `${segment}#f`,
  (segment: string) => `${segment}%00`,
]

const CHANGES: Change[] = [
  (base, _, pick) => ({ ...base, method: pick(['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'PATCH', 'GETX']) }),
  (base, callers, pick) => ({ ...base, caller: pick(callers) }),
  (base) => ({ ...base, servicePort: base.servicePort === 80 ? 9000 : 80 }),
  (base) => onPath(base, (path) => (path.endsWith('/') ? path.slice(0, -1) || '/' : `${path}/`)),
  (base) => onPath(base, (path) => `/${path}`),
  (base) => onPath(base, (path) => `${path}?a=b/c`),
  (base, _, pick) => onPath(base, (path) => `${path}/${pick(WORDS)}`),
  (base) => onPath(base, (path) => path.slice(0, path.lastIndexOf('/')) || '/'),
  (base, _, pick) => onSegment(base, pick, () => pick(WORDS)),
  (base, _, pick) => onSegment(base, pick, pick(AROUND)),
  (base, _, pick) => onSegment(base, pick, pick(AROUND)),
  (base, _, pick) => ({
    ...base,
    path: pick(['/', '/unknown', '/unknown/1', '/orders.json', '/metrics', '/*', '/{int}']),
  }),
]

function onPath(base: LabRequest, change: (path: string) => string): LabRequest {
  const [path = '', ...query] = base.path.split('?')
  return { ...base, path: [change(path), ...query].join('?') }
}

function onSegment(base: LabRequest, pick: Pick, change: (segment: string) => string): LabRequest {
  return onPath(base, (path) => {
    const segments = path.split('/')
    const at = 1 + pick(segments.slice(1).map((_, index) => index))
    return segments.map((segment, index) => (index === at ? change(segment) : segment)).join('/')
  })
}

const ATOMS = [
  'a',
  'orders',
  '',
  '.',
  '..',
  '...',
  '.%2e',
  '%2E',
  '..;',
  '.;x=1',
  ';v=1',
  '\\',
  'a\\b',
  '*',
  '=',
  '[x]',
  '{x}',
  '|',
]
const ESCAPES = [
  '%41',
  '%7e',
  '%2d',
  '%5a',
  '%5B',
  '%60',
  '%2f',
  '%5c',
  '%3D',
  '%20',
  '%25',
  '%00',
  '%c3%a9',
  '%',
  '%4',
  '%zz',
  '%4%30',
  '%%34',
]

/** A path at which normalisers differ. */
export function strangePath(pick: Pick): string {
  const parts = Array.from({ length: pick([1, 2, 3, 4, 5]) }, () => pick([...ATOMS, ...ESCAPES]))
  return `/${parts.join(pick(['/', '/', '/', '']))}`
}
