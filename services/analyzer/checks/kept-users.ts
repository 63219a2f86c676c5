import { type Counted, defineCheck, notLookedAt, tallyOf } from './check.ts'

export const keptUsers = defineCheck({
  id: 'kept-users',
  title: 'the end user of a request is known at each hop behind it',
  unit: 'hops of requests with a user',
  fault: 'lost the user',
  severity: 'low',
  blind: 'hops that are in no chain; whether the token at a hop was the user’s own or one that was exchanged for it',
  fix: 'pass the token on, or exchange it for a local one, and verify it at each hop (RequestAuthentication)',
  reads: ['users_along', 'chains'],
  tally: ({ users_along, chains }) =>
    tallyOf([
      notLookedAt(chains.not_looked_at),
      ...users_along.flatMap(({ caller, callee, met, unmet }): Counted[] => {
        const hop = { subject: `${caller} -> ${callee}`, place: callee }
        return [
          { ...hop, times: met, shows: 'met' },
          { ...hop, times: unmet, shows: 'unmet' },
        ]
      }),
    ]),
})
