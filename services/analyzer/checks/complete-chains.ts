import { type Counted, defineCheck, tallyOf } from './check.ts'

export const completeChains = defineCheck({
  id: 'complete-chains',
  title: 'requests of users are seen with the whole series of calls that completes them',
  unit: 'request chains',
  fault: 'broke',
  // Collectors drop batches when they restart; with more than that, what a user's request did is not known.
  unmetShareMax: 0.01,
  blind: 'calls that left neither a span nor a line with a trace id; requests that are not traced at all',
  fix: 'cinch chains names each place where they break, and why',
  reads: ['chains'],
  tally: ({ chains: { chains, complete, roots } }) => {
    const places = roots.flatMap(({ breaks }) => breaks)
    const told = places.map(
      ({ kind, caller, callee, chains: times }): Counted => ({
        name: `${kind}: ${caller || '?'} -> ${callee || '?'}`,
        times,
        shows: 'unmet',
      }),
    )
    return { met: complete, unmet: chains - complete, untold: 0, samples: tallyOf(told).samples }
  },
})
