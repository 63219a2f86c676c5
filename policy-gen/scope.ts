import type { ObservedOperation } from '../services/model/operation.ts'
import { GRANULARITIES, type Granularity, type Permission, type Widening } from '../services/model/permission.ts'
import { readObservedPath } from './observed-path.ts'

/** What of an operation a permission says, after the granularity and what the evidence cannot tell. */
export type Scope = Pick<Permission, 'port' | 'operation' | 'granularity' | 'widened'>

/**
 * Cuts an operation down to the granularity, and further where the evidence is missing: without a path to the method,
 * without a method to the port, without a port to the workload. Each such step is kept as a widening.
 *
 * @param port the workload's port, 0 when not known
 */
export function scopeOf(operation: ObservedOperation, asked: Granularity, port: number): Scope {
  const widened: Widening[] = []
  const wider = (from: Granularity, to: Granularity, reason: string): Granularity => {
    widened.push({ from, to, reason })
    return to
  }
  const method = operation.method || (operation.protocol === 'grpc' ? 'POST' : '')
  let level = operation.protocol === 'tcp' ? narrowest(asked, 'port') : asked
  if (level === 'path') {
    const path = readObservedPath(operation.path, operation.pathFlags)
    if (!path.known) level = wider('path', 'method', path.reason)
  }
  if ((level === 'path' || level === 'method') && method === '') {
    level = wider(level, 'port', 'no reporter told the method')
  }
  if (level !== 'workload' && port === 0) {
    // Method and path still hold; only the port is open.
    const to = level === 'port' ? 'workload' : level
    level = wider('port', to, 'the port that the callee listens on is not known')
  }
  const http = level === 'path' || level === 'method'
  return {
    port: level === 'workload' ? 0 : port,
    operation: {
      method: http ? method : '',
      path: level === 'path' ? operation.path : '',
      flags: level === 'path' ? operation.pathFlags : [],
      ...(level === 'path' && operation.named !== undefined ? { named: [operation.named] } : {}),
    },
    granularity: level,
    widened,
  }
}

function narrowest(asked: Granularity, limit: Granularity): Granularity {
  return GRANULARITIES.indexOf(asked) < GRANULARITIES.indexOf(limit) ? asked : limit
}
