/** Runs work on one of `resources`, waiting for a free one in the order of asking. */
export function createLanes<R>(resources: readonly R[]): <T>(work: (resource: R) => Promise<T>) => Promise<T> {
  const free = [...resources]
  const waiting: ((resource: R) => void)[] = []
  return async (work) => {
    const resource = free.pop() ?? (await new Promise<R>((resolve) => waiting.push(resolve)))
    try {
      return await work(resource)
    } finally {
      const next = waiting.shift()
      if (next) next(resource)
      else free.push(resource)
    }
  }
}
