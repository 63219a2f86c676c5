import { type Counted, defineCheck, tallyOf } from './check.ts'

export const usersOnRequests = defineCheck({
  id: 'users-on-requests',
  title: 'every request carries the credential of an end user that was verified',
  unit: 'application requests',
  fault: 'carried no user',
  severity: 'low',
  blind: 'proxies that verify no tokens tell of no users; operations that their owner would call machine-to-machine',
  fix: 'ask for a verified token at the workload (policies generate --users), or have the owner declare the operation',
  reads: ['operations'],
  tally: ({ operations }) =>
    tallyOf(
      operations
        .filter(({ protocol, reporter }) => protocol !== 'tcp' && reporter !== 'span' && reporter !== 'flow')
        .flatMap(({ destination, method, path, users, requests, firstSeen, lastSeen }): Counted[] => {
          const one = {
            subject: [destination.id, method, path].filter((part) => part !== '').join(' '),
            place: destination.id,
            seen: { first_seen: firstSeen, last_seen: lastSeen },
          }
          if (!users) return [{ ...one, times: requests, shows: 'untold' }]
          const seen = users.seen.reduce((sum, one) => sum + one.requests, 0)
          return [
            { ...one, times: seen, shows: 'met' },
            { ...one, times: users.without.requests, shows: 'unmet' },
            { ...one, times: users.untold.requests, shows: 'untold' },
          ]
        }),
    ),
})
