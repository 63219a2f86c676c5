import type { ObservedOperation } from '../../services/model/operation.ts'
import { operation, seeded } from './support.ts'

/** No two of these can be the same request. */
export const DISJOINT_PATHS = [
  '/items',
  '/items/{int}',
  '/items/{uuid}/lines',
  '/carts/{hex}/use',
  '/reports/{date}',
  '/a/b',
]
/** Some of these are swept in by another's template. */
const PATHS = [...DISJOINT_PATHS, '/a/b/c', '/a/{int}/c', '/a/{int}/{int}', '/a/me/{int}', '/reports/latest']
const METHODS = ['GET', 'POST', 'PUT', 'DELETE']
const PORTS = [8080, 9090]

/**
 * A mesh's observed operations: a few namespaces, workloads and callers, each operation once, each seen another number
 * of times, so that counts tell operations apart.
 */
export function randomOperations(seed: number, count: number, paths: readonly string[] = PATHS): ObservedOperation[] {
  const random = seeded(seed)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const found = new Map<string, ObservedOperation>()
  for (let at = 0; at < count; at++) {
    const short = {
      from: `${pick(['shop', 'bank'])}/${pick(['web', 'mobile', 'job', 'admin'])}`,
      to: `${pick(['shop', 'store'])}/${pick(['orders', 'stock', 'users'])}`,
      method: pick(METHODS),
      path: pick(paths),
      port: pick(PORTS),
    }
    found.set(JSON.stringify(short), {
      ...operation({ ...short, requests: 1 + at }),
      servicePort: short.port === 8080 ? 80 : 90,
    })
  }
  return [...found.values()]
}

/** A request path that an operation's template stands for. */
export function concrete(path: string, value: number): string {
  return path
    .replace('{int}', String(value))
    .replace('{hex}', `ab${value.toString(16).padStart(8, '0')}`)
    .replace('{date}', `2026-01-${String((value % 28) + 1).padStart(2, '0')}`)
    .replace('{uuid}', `00000000-0000-4000-8000-${String(value).padStart(12, '0')}`)
}
