import { defineCheck, hopName, hopOf, hopsWithin, tallyOf } from './check.ts'

const SHOWS = { yes: 'met', no: 'unmet', unknown: 'untold' } as const

export const encryptedHops = defineCheck({
  id: 'encrypted-hops',
  title: 'every hop between services is mutual TLS',
  unit: 'requests between services',
  fault: 'were in plaintext',
  severity: 'high',
  blind:
    'probes of health and scrapers of metrics, which cinch graph --hide-noise names; hops that nobody reports; TLS versions and ciphers; what callers and gateways alone report, for only the callee tells whether it was TLS',
  fix: 'PeerAuthentication in mode STRICT, and a proxy at each caller',
  reads: ['calls', 'noise'],
  tally: ({ calls, noise }) =>
    tallyOf(
      hopsWithin(calls)
        .filter((call) => !noise.has(hopName(call)))
        .map((call) => ({ ...hopOf(call), shows: SHOWS[call.row.mtls] })),
    ),
})
