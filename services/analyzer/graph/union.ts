/** Things that turn out to be one, by their names: union-find with path halving. */
export interface Union {
  join(a: string, b: string): void
  /** The name that stands for all that were joined with it. */
  find(name: string): string
}

export function createUnion(): Union {
  const parents = new Map<string, string>()
  const find = (name: string) => {
    let at = name
    for (let parent = parents.get(at); parent !== undefined && parent !== at; parent = parents.get(at)) {
      parents.set(at, parents.get(parent) ?? parent)
      at = parent
    }
    return at
  }
  const join = (a: string, b: string) => {
    const [left, right] = [find(a), find(b)].sort()
    if (left !== undefined && right !== undefined && left !== right) parents.set(right, left)
  }
  return { find, join }
}
