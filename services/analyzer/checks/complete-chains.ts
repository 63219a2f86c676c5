import { type Counted, defineCheck, notLookedAt, tallyOf } from './check.ts'

export const completeChains = defineCheck({
  id: 'complete-chains',
  title: 'requests of users are seen with the whole series of calls that completes them',
  unit: 'request chains',
  fault: 'broke',
  // Collectors drop batches when they restart; with more than that, what a user's request did is not known.
  unmetShareMax: 0.01,
  severity: 'low',
  blind: 'calls that left neither a span nor a line with a trace id; requests that are not traced at all',
  fix: 'cinch chains names each place where they break, and why',
  reads: ['chains'],
  tally: ({ chains: { chains, complete, roots, not_looked_at } }) => {
    const told = roots.flatMap(({ callee: place, method, path, chains: all, complete: whole, breaks }): Counted[] => [
      { subject: [place, method, path].join(' ').trim(), place, times: whole, shows: 'met' },
      ...breaks.flatMap(({ kind, caller, callee, chains: times }): Counted[] => {
        const one = { subject: `${kind}: ${caller || '?'} -> ${callee || '?'}`, place }
        return [
          { ...one, times, shows: 'unmet' },
          { ...one, times: all - times, shows: 'met' },
        ]
      }),
    ])
    // A chain may break in several places, and is one.
    const { subjects, untold } = tallyOf([...told, notLookedAt(not_looked_at)])
    return { met: complete, unmet: chains - complete, untold, subjects }
  },
})
