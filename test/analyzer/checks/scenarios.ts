import { changes, counters, declare, type Scenario, sendChains, usersAlong } from './loads.ts'
import type { Row } from './rows.ts'

const OUTSIDE: Row = { from: '', address: '203.0.113.7', mtls: 'no' }
const INGRESS: Row = {
  from: '',
  address: '203.0.113.7',
  reporter: 'gateway',
  point: 'ingress',
  to: 'gateway',
  mtls: 'unknown',
  service: 'web.edge',
}
const EGRESS: Row = {
  reporter: 'gateway',
  point: 'egress',
  to: 'egress',
  kind: 'external',
  service: 'api.example.com',
  mtls: 'unknown',
}
const DIRECT: Row = {
  reporter: 'source',
  to: '',
  kind: 'external',
  service: 'api.example.com',
  mtls: 'unknown',
  evidence: 'address',
}
/** As a caller's proxy tells of a callee that has none. */
const PEER_ONLY: Row = { reporter: 'source', to: '', mtls: 'unknown', evidence: 'address' }
const PROBE: Row = { times: 120, from: '', address: '10.0.0.9', mtls: 'no', agent: 'kube-probe/1.35' }
const FLOW: Row = {
  reporter: 'flow',
  point: 'node',
  format: 'hubble',
  mtls: 'unknown',
  evidence: 'address',
  service: '',
}

const inCluster = (cluster: string) =>
  Array.from({ length: 20 }, (_, at): Row => ({ times: 2, cluster, path: `/p${at}` }))
const [EAST, WEST] = [inCluster('east'), inCluster('west')]

export const SCENARIOS: Scenario[] = [
  { check: 'encrypted-hops', what: 'all of it mutual TLS', verdict: 'met', counts: [150, 0, 0], rows: [{}] },
  {
    check: 'encrypted-hops',
    what: 'one request in plaintext',
    verdict: 'not_met',
    counts: [150, 1, 0],
    sample: 'address:10.0.0.9 -> ',
    rows: [{}, { times: 1, from: '', address: '10.0.0.9', mtls: 'no' }],
  },
  {
    check: 'encrypted-hops',
    what: 'a callee without a report',
    verdict: 'not_enough_data',
    counts: [150, 0, 10],
    sample: '/stock',
    rows: [{}, { ...PEER_ONLY, times: 10, service: 'stock.{ns}' }],
  },
  {
    check: 'encrypted-hops',
    what: 'probes in plaintext',
    verdict: 'met',
    counts: [150, 0, 0],
    rows: [{}, { ...PROBE, path: '/healthz' }],
  },
  {
    check: 'encrypted-hops',
    what: 'one that only says that it is a probe',
    verdict: 'not_met',
    counts: [150, 120, 0],
    rows: [{}, { ...PROBE, path: '/a' }],
  },
  { check: 'encrypted-hops', what: 'too few', verdict: 'not_enough_data', counts: [99, 0, 0], rows: [{ times: 99 }] },

  { check: 'verified-callers', what: 'all proven', verdict: 'met', counts: [150, 0, 0], rows: [{}] },
  {
    check: 'verified-callers',
    what: 'two without a credential',
    verdict: 'not_met',
    counts: [150, 2, 0],
    rows: [{}, { times: 2, from: '', address: '10.0.0.9', mtls: 'no' }],
  },
  {
    check: 'verified-callers',
    what: 'a log format that tells no callers',
    verdict: 'not_enough_data',
    counts: [0, 0, 150],
    rows: [{ from: '', address: '10.0.0.9' }],
  },

  { check: 'own-reporter', what: 'the callee reports', verdict: 'met', counts: [1, 0, 0], rows: [{}] },
  {
    check: 'own-reporter',
    what: 'one is only told of by its caller',
    verdict: 'not_met',
    counts: [1, 1, 0],
    sample: '/stock',
    rows: [{}, { ...PEER_ONLY, service: 'stock.{ns}' }],
  },
  {
    check: 'own-reporter',
    what: 'spans alone',
    verdict: 'not_enough_data',
    counts: [0, 0, 2],
    load: async (api, place) => await sendChains(api, place, 3),
  },

  {
    check: 'bypassed-enforcement',
    what: 'flows that were logged',
    verdict: 'met',
    counts: [1, 0, 0],
    rows: [{}, FLOW],
  },
  {
    check: 'bypassed-enforcement',
    what: 'a flow that nobody logged',
    verdict: 'not_met',
    counts: [1, 1, 0],
    sample: '/web -> ',
    rows: [{}, FLOW, { ...FLOW, times: 1, to: 'stock' }],
  },
  { check: 'bypassed-enforcement', what: 'no flows', verdict: 'not_enough_data', counts: [0, 0, 0], rows: [{}] },

  {
    check: 'one-identity',
    what: 'each its own, and two versions of one service',
    verdict: 'met',
    counts: [3, 0, 0],
    rows: [
      {},
      { to: 'stock' },
      { to: 'reviews-v1', identity: 'reviews', service: 'reviews.{ns}' },
      { to: 'reviews-v2', identity: 'reviews', service: 'reviews.{ns}' },
    ],
  },
  {
    check: 'one-identity',
    what: 'two services with one',
    verdict: 'not_met',
    counts: [1, 1, 0],
    sample: '/sa/default (',
    rows: [{ identity: 'default' }, { to: 'stock', identity: 'default' }, { to: 'users' }],
  },
  {
    check: 'one-identity',
    what: 'a workload with two',
    verdict: 'not_met',
    counts: [0, 2, 0],
    rows: [{}, { identity: 'other' }],
  },
  {
    check: 'one-identity',
    what: 'told by services and identities alone',
    verdict: 'not_met',
    counts: [0, 1, 0],
    sample: '/sa/default (',
    rows: [
      { to: '', identity: 'default', service: 'orders.{ns}' },
      { to: '', identity: 'default', service: 'stock.{ns}' },
    ],
  },
  {
    check: 'one-identity',
    what: 'two of which nobody tells the services',
    verdict: 'not_enough_data',
    counts: [0, 0, 1],
    rows: [
      { identity: 'default', service: '' },
      { to: 'stock', identity: 'default', service: '' },
    ],
  },

  // In this order: what is declared stays declared.
  { check: 'known-workloads', what: 'no inventory', verdict: 'not_enough_data', counts: [0, 0, 2], rows: [{}] },
  {
    check: 'known-workloads',
    what: 'declared, with whose it is',
    verdict: 'met',
    counts: [2, 0, 0],
    rows: [{}],
    load: async (api, place) => await declare(api, place, ['web', 'orders'], 'enterprise-owned'),
  },
  {
    check: 'known-workloads',
    what: 'one that nobody declared',
    verdict: 'not_met',
    counts: [2, 1, 0],
    sample: '/ghost',
    rows: [{}, { from: 'ghost' }],
    load: async (api, place) => await declare(api, place, ['web', 'orders'], 'enterprise-owned'),
  },
  {
    check: 'known-workloads',
    what: 'declared, and nobody says whose',
    verdict: 'not_enough_data',
    counts: [0, 0, 2],
    rows: [{}],
    load: async (api, place) => await declare(api, place, ['web', 'orders'], ''),
  },

  { check: 'users-on-requests', what: 'a user each', verdict: 'met', counts: [150, 0, 0], rows: [{ user: 'u' }] },
  {
    check: 'users-on-requests',
    what: 'three without',
    verdict: 'not_met',
    counts: [150, 3, 0],
    sample: '/orders GET /a',
    rows: [{ user: 'u' }, { times: 3 }],
  },
  {
    check: 'users-on-requests',
    what: 'a proxy that verifies no tokens',
    verdict: 'not_enough_data',
    counts: [0, 0, 150],
    rows: [{}],
  },

  {
    check: 'ingress-through-gateway',
    what: 'all through the gateway',
    verdict: 'met',
    counts: [150, 0, 0],
    rows: [INGRESS],
  },
  {
    check: 'ingress-through-gateway',
    what: 'four past it',
    verdict: 'not_met',
    counts: [150, 4, 0],
    sample: 'address:203.0.0.0 -> ',
    rows: [INGRESS, { ...OUTSIDE, times: 4 }],
  },
  {
    check: 'ingress-through-gateway',
    what: 'hardly any',
    verdict: 'not_enough_data',
    counts: [20, 0, 0],
    rows: [{ ...INGRESS, times: 20 }, {}],
  },

  { check: 'egress-through-proxy', what: 'all through it', verdict: 'met', counts: [150, 0, 0], rows: [EGRESS] },
  {
    check: 'egress-through-proxy',
    what: 'two past it',
    verdict: 'not_met',
    counts: [150, 2, 0],
    sample: '/mail -> external:api.example.com',
    rows: [EGRESS, { ...DIRECT, times: 2, from: 'mail' }],
  },
  { check: 'egress-through-proxy', what: 'none', verdict: 'not_enough_data', counts: [0, 0, 0], rows: [{}] },

  {
    check: 'complete-chains',
    what: 'each whole',
    verdict: 'met',
    counts: [120, 0, 0],
    load: async (api, place) => await sendChains(api, place, 120),
  },
  {
    check: 'complete-chains',
    what: 'ten of which a span is missing',
    verdict: 'not_met',
    counts: [110, 10, 0],
    load: async (api, place) => await sendChains(api, place, 120, 10),
  },
  {
    check: 'complete-chains',
    what: 'too few',
    verdict: 'not_enough_data',
    counts: [20, 0, 0],
    load: async (api, place) => await sendChains(api, place, 20),
  },

  {
    check: 'forwarded-context',
    what: 'both lead on',
    verdict: 'met',
    counts: [2, 0, 0],
    load: async (api, place) => await sendChains(api, place, 30),
  },
  {
    check: 'forwarded-context',
    what: 'the last one calls others, and never in a chain',
    verdict: 'not_met',
    counts: [2, 1, 0],
    sample: '/stock',
    rows: [{ from: 'stock', to: 'ledger' }],
    load: async (api, place) => await sendChains(api, place, 120),
  },
  { check: 'forwarded-context', what: 'no chains', verdict: 'not_enough_data', counts: [0, 0, 0], rows: [{}] },

  { check: 'kept-users', what: 'all kept', verdict: 'met', counts: [150, 0, 0], load: usersAlong(150, 0) },
  { check: 'kept-users', what: 'five lost', verdict: 'not_met', counts: [150, 5, 0], load: usersAlong(150, 5) },
  { check: 'kept-users', what: 'hardly any', verdict: 'not_enough_data', counts: [7, 0, 0], load: usersAlong(7, 0) },

  { check: 'logged-requests', what: 'all logged', verdict: 'met', counts: [1, 0, 0], rows: [{}], load: counters(150) },
  {
    check: 'logged-requests',
    what: 'a quarter is not',
    verdict: 'not_met',
    counts: [0, 1, 0],
    sample: '150 of 200 logged',
    rows: [{}],
    load: counters(200),
  },
  { check: 'logged-requests', what: 'no counters', verdict: 'not_enough_data', counts: [0, 0, 0], rows: [{}] },

  {
    check: 'reporters-agree',
    what: 'both ends tell of as many',
    verdict: 'met',
    counts: [1, 0, 0],
    rows: [{}, { ...PEER_ONLY, service: 'orders.{ns}' }],
  },
  {
    check: 'reporters-agree',
    what: 'the callee leaves a quarter out',
    verdict: 'not_met',
    counts: [0, 1, 0],
    sample: '150 of 200 logged by the callee',
    rows: [{}, { ...PEER_ONLY, times: 200, service: 'orders.{ns}' }],
  },
  { check: 'reporters-agree', what: 'one end alone', verdict: 'not_enough_data', counts: [0, 0, 0], rows: [{}] },

  { check: 'log-fields', what: 'all of them', verdict: 'met', counts: [5, 0, 0], rows: [{ trace: true }] },
  {
    check: 'log-fields',
    what: 'no trace id in two of a hundred',
    verdict: 'not_met',
    counts: [4, 1, 0],
    sample: 'istio-json (operator): trace_id in 147 of 150 lines',
    rows: [{ times: 147, trace: true }, { times: 3 }],
  },
  {
    check: 'log-fields',
    what: 'hardly any lines',
    verdict: 'not_enough_data',
    counts: [0, 0, 5],
    rows: [{ times: 50 }],
  },

  { check: 'same-decisions', what: 'alike in both', verdict: 'met', counts: [20, 0, 0], rows: [...EAST, ...WEST] },
  {
    check: 'same-decisions',
    what: 'one that the other cluster denies',
    verdict: 'not_met',
    counts: [20, 1, 0],
    sample: '(east: allowed, west: denied)',
    rows: [
      ...[...EAST, ...WEST],
      { times: 2, cluster: 'east', path: '/x' },
      { times: 2, cluster: 'west', path: '/x', decision: 'denied' },
    ],
  },
  { check: 'same-decisions', what: 'one cluster', verdict: 'not_enough_data', counts: [0, 0, 0], rows: EAST },

  { check: 'linked-changes', what: 'each in a session', verdict: 'met', counts: [25, 0, 0], load: changes(25, 0) },
  {
    check: 'linked-changes',
    what: 'two by somebody who never signed in',
    verdict: 'not_met',
    counts: [25, 2, 0],
    sample: 'okta: eve@example.com user.update',
    load: changes(25, 2),
  },
  { check: 'linked-changes', what: 'too few', verdict: 'not_enough_data', counts: [5, 0, 0], load: changes(5, 0) },
]
