import { defineCheck, hopName, hopOf, hopsWithin, tallyOf } from './check.ts'

export const verifiedCallers = defineCheck({
  id: 'verified-callers',
  title: 'every request between services has a caller that its certificate proves',
  unit: 'requests between services',
  fault: 'came without any credential of the caller',
  severity: 'high',
  blind:
    'probes of health and scrapers of metrics, which cinch graph --hide-noise names; how long a certificate lives and how old it is; callers behind a gateway that holds one certificate for all of them',
  fix: 'PeerAuthentication in mode STRICT; the recommended access log format tells the peer’s identity',
  reads: ['calls', 'noise'],
  tally: ({ calls, noise }) =>
    tallyOf(
      hopsWithin(calls)
        .filter((call) => !noise.has(hopName(call)))
        .map((call) => ({
          ...hopOf(call),
          shows: call.row.source_evidence === 'verified' ? 'met' : call.row.mtls === 'no' ? 'unmet' : 'untold',
        })),
    ),
})
