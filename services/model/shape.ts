/** No path that is stored has one: fragments are cut. */
const MARK = '#'

/**
 * A path's shape as rollups keep it: typed segments in braces, and behind a `#` the operation that the request names beside its path:
 * GraphQL's `query GetOrder` (or only the name or the type, as far as it was told), JSON-RPC's `tools/call`. An enforcement point
 * matches the path alone.
 */
export interface NamedPath {
  path: string
  /** Empty where none was named. */
  operation: string
}

export function readShape(shape: string): NamedPath {
  const at = shape.indexOf(MARK)
  return at < 0 ? { path: shape, operation: '' } : { path: shape.slice(0, at), operation: shape.slice(at + 1) }
}

export const shapeText = ({ path, operation }: NamedPath): string =>
  operation === '' ? path : `${path}${MARK}${operation}`
