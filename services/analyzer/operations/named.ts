/** Names of operations that are kept of one path: whoever calls chooses them. What is beyond is counted at the path, without a name. */
export const NAMES_MAX = 200

interface Use {
  /** Of the path that names are counted for. */
  key: string
  operation: string
  requests: number
}

/** Tells which of some names stay: of each path those with the most requests. Their order says nothing. */
export function namesKept(uses: Iterable<Use>, max = NAMES_MAX): (use: Omit<Use, 'requests'>) => boolean {
  const paths = new Map<string, Map<string, number>>()
  for (const { key, operation, requests } of uses) {
    if (operation === '') continue
    const names = paths.get(key) ?? new Map<string, number>()
    paths.set(key, names.set(operation, (names.get(operation) ?? 0) + requests))
  }
  const kept = new Map([...paths].map(([key, names]) => [key, mostRequested(names, max)]))
  return ({ key, operation }) => operation === '' || kept.get(key)?.has(operation) === true
}

function mostRequested(names: ReadonlyMap<string, number>, max: number): ReadonlySet<string> {
  if (names.size <= max) return new Set(names.keys())
  const ranked = [...names].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1))
  return new Set(ranked.slice(0, max).map(([name]) => name))
}
