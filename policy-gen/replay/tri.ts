/** Three-valued logic (Kleene): what cannot be decided stays undecided instead of being guessed. */
export type Tri = 'yes' | 'no' | 'unknown'

export function not(value: Tri): Tri {
  return value === 'yes' ? 'no' : value === 'no' ? 'yes' : 'unknown'
}

/** `no` wins over `unknown`, which wins over `yes`; of nothing it is `yes`. */
export function every<T>(items: Iterable<T>, test: (item: T) => Tri): Tri {
  let result: Tri = 'yes'
  for (const item of items) {
    const value = test(item)
    if (value === 'no') return 'no'
    if (value === 'unknown') result = 'unknown'
  }
  return result
}

/** `yes` wins over `unknown`, which wins over `no`; of nothing it is `no`. */
export function some<T>(items: Iterable<T>, test: (item: T) => Tri): Tri {
  let result: Tri = 'no'
  for (const item of items) {
    const value = test(item)
    if (value === 'yes') return 'yes'
    if (value === 'unknown') result = 'unknown'
  }
  return result
}

/** All of a few values that are known already. */
export function all(...values: Tri[]): Tri {
  return every(values, (value) => value)
}

export function fromBoolean(value: boolean): Tri {
  return value ? 'yes' : 'no'
}
