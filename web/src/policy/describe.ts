/** Values of a report that may be text already or an object of the vocabulary (a party, an operation), as one line. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (Array.isArray(value)) return value.map(describe).filter(Boolean).join(', ')
  if (typeof value !== 'object' || value === null) return ''
  const field = (...keys: string[]) => pick(value, keys)
  const action = [field('method', 'methods'), field('path', 'paths')].filter(Boolean).join(' ')
  if (action !== '') return action
  const workload = [field('namespace'), field('workload', 'name', 'service')].filter(Boolean).join('/')
  const principal = field('principal', 'principals')
  return workload || principal || field('id') || field('port', 'ports')
}

function pick(value: object, keys: string[]): string {
  for (const [key, part] of Object.entries(value)) {
    if (keys.includes(key) && part !== '' && part !== 0) return describe(part)
  }
  return ''
}

export interface PermissionRow {
  caller: string
  callee: string
  port: string
  operation: string
  requests: number
  days: number
  strength: string
  last: string
}

/** A permission of the report as a row; what it does not say stays empty. */
export function permissionRow(permission: unknown): PermissionRow {
  const of = (value: unknown, key: string): unknown =>
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
  const evidence = of(permission, 'evidence')
  const number = (value: unknown) => (typeof value === 'number' ? value : 0)
  return {
    caller: describe(of(permission, 'caller')),
    callee: describe(of(permission, 'callee')),
    port: describe(of(permission, 'port')),
    operation: describe(of(permission, 'operation')) || 'any',
    requests: number(of(evidence, 'requests')),
    days: number(of(evidence, 'days')),
    strength: describe(of(evidence, 'strength')),
    last: describe(of(evidence, 'last_seen')),
  }
}
