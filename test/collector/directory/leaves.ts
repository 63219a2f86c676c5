/** Each value of a JSON document that is no object and no list, with the path to it. */
export function leavesOf(
  value: unknown,
  path: (string | number)[] = [],
): { path: (string | number)[]; value: unknown }[] {
  if (typeof value !== 'object' || value === null) return [{ path, value }]
  return Object.entries(value).flatMap(([key, inner]) =>
    leavesOf(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  )
}

export const at = (value: unknown, path: (string | number)[]): unknown =>
  path.reduce((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value)

/** Every text anywhere in a document. */
export const textsOf = (value: unknown): string[] => leavesOf(value).map((leaf) => String(leaf.value))
