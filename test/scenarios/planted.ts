import { CANARY_AT } from './world.ts'

/**
 * Planted into the shop's day: problems that a person should find, and distractors that look alike and are fine. Written as
 * in `journeys.ts`; besides `weight` and `rhythm`, a head may say `count=` with `at=` (fraction of the window) and `for=`
 * (minutes), exactly that many journeys there, or `count=` with `daily=` (minute of the day, UTC), that many each night.
 * `!` marks the call that is the evidence.
 */
export const PLANTED_JOURNEYS = `
leaky-batch  count=2 daily=165 for=10 from=price-export plant=leaky-batch
  accounts GET /accounts/export/emails?page={page} !

plaintext-erp  count=40 daily=285 for=30 from=legacy-erp plant=plaintext-caller
  warehouse POST /stock-levels/{sku} !

denied-analytics  count=6 daily=0 for=1440 from=analytics plant=denied-caller
  payments GET /payments/{payment} deny !

denied-trainer  count=6 daily=170 for=10 from=trainer plant=denied-grpc
  ledger rpc shop.ledger.v1.Ledger/ListEntries deny !

enumeration  count=450 at=0.8 for=20 from=recommendations only=east plant=id-enumeration
  accounts GET /accounts/{next-account}/segments fail404=0.4 !

around-the-gateway  count=12 daily=0 for=1440 from=sms only=east plant=egress-bypass
  api.sms.example.org POST /v2/messages direct !

forged-original-path  count=30 at=0.7 for=40 from=internet plant=forged-original-path
  istio-ingressgateway GET /account/orders/{order} was=/assets/logo.svg !
    web ^

failover  count=8 at=0.45 for=12 from=checkout only=west plant=failover
  payments POST /payments in=east !

release-burst  count=500 at=${CANARY_AT} for=6 from=orders-v2 plant=release-burst
  config GET /config/orders/production !

retry-storm  count=120 at=0.3 for=4 from=tracking plant=retry-storm
  carriers GET /carriers/{carrier}/status/{shipment} x3 fail=0.85 !

application-403  count=9 daily=0 for=1440 from=internet users=customer plant=application-403
  istio-ingressgateway GET /account/orders/{order}/invoice status=403
    web ^ status=403
      invoices GET /invoices/by-order/{order} status=403 !

canary-only  count=90 at=${CANARY_AT} for=480 from=web plant=canary-operation
  orders-v2 GET /api/v2/orders/{order}/timeline !
`

/** What a planted journey means, for people. `id` is its `plant=`. */
export interface PlantNote {
  id: string
  kind: 'problem' | 'distractor'
  title: string
  /** What a person should notice, or why it is fine. */
  notice: string
}

/** Every `plant=` above, and the smells and background traffic that need no journey of their own (`journey: ''`). */
export const PLANT_NOTES: PlantNote[] = [
  {
    id: 'leaky-batch',
    kind: 'problem',
    title: 'A price export reads the customers’ e-mail addresses',
    notice:
      'price-export has business with pricing and catalog only; twice a night it reads accounts, in another domain.',
  },
  {
    id: 'plaintext-caller',
    kind: 'problem',
    title: 'A caller without a sidecar',
    notice:
      'warehouse is called without mutual TLS from a pod address that belongs to legacy-erp: no identity to allow.',
  },
  {
    id: 'denied-caller',
    kind: 'problem',
    title: 'A caller that policy refuses',
    notice: 'analytics asks payments for single payments and gets 403 from the proxy. It must not teach a permission.',
  },
  {
    id: 'denied-grpc',
    kind: 'problem',
    title: 'A gRPC caller that policy refuses',
    notice: 'The proxy refuses a gRPC call with HTTP status 200 and gRPC status 7; only the details name the refusal.',
  },
  {
    id: 'id-enumeration',
    kind: 'problem',
    title: 'Object ids are walked in order',
    notice: 'recommendations always reads segments of accounts, but here 450 consecutive ids in 20 minutes, many 404.',
  },
  {
    id: 'egress-bypass',
    kind: 'problem',
    title: 'Egress around the gateway',
    notice: 'sms calls api.sms.example.org itself, in plain HTTP (PassthroughCluster); only its own sidecar logs it.',
  },
  {
    id: 'forged-original-path',
    kind: 'problem',
    title: 'A client sends x-envoy-original-path',
    notice: 'The default `path` shows /assets/logo.svg; the path that was matched and served is an order.',
  },
  {
    id: 'failover',
    kind: 'distractor',
    title: 'Failover to the other cluster',
    notice: 'checkout in west calls payments in east for twelve minutes while west is repaired: rare, declared, fine.',
  },
  {
    id: 'release-burst',
    kind: 'distractor',
    title: 'A burst after a release',
    notice:
      'The canary orders-v2 starts and loads its configuration many times: new caller version, known service account.',
  },
  {
    id: 'retry-storm',
    kind: 'distractor',
    title: 'A retry storm',
    notice: 'tracking repeats a known call to carriers that answers 503: volume and errors, no new operation.',
  },
  {
    id: 'application-403',
    kind: 'distractor',
    title: 'A 403 of the application',
    notice: 'invoices itself answers 403 (via_upstream): the platform allowed the call, so it is not a denial.',
  },
  {
    id: 'canary-operation',
    kind: 'distractor',
    title: 'An operation that only the canary has',
    notice: 'orders-v2 serves /api/v2/orders/{uuid}/timeline since its release: new and wanted.',
  },
]

/** Smells that stand in the objects or come with the ordinary traffic. */
export const STANDING_NOTES: PlantNote[] = [
  {
    id: 'shared-service-account',
    kind: 'problem',
    title: 'Two workloads share a service account',
    notice: 'analytics and feature-store both run as data-sa: no policy can tell them apart.',
  },
  {
    id: 'default-service-account',
    kind: 'problem',
    title: 'A workload runs as the default service account',
    notice:
      'thumbnailer runs as catalog/default; whatever lands in the namespace without an account shares its rights.',
  },
  {
    id: 'kubelet-probes',
    kind: 'distractor',
    title: 'Probes of the kubelet',
    notice: 'Plaintext without identity from node addresses, user agent kube-probe: not a caller without a sidecar.',
  },
  {
    id: 'sequential-invoices',
    kind: 'distractor',
    title: 'A nightly job walks invoice numbers',
    notice: 'warehouse-loader reads invoices in order each night: consecutive ids, but its ordinary work and no 404.',
  },
  {
    id: 'scanner',
    kind: 'distractor',
    title: 'Background noise of the internet',
    notice: 'Scanners get 404 route_not_found from the gateway; these paths are no operations of the shop.',
  },
]

/** Access that is right although a window may not show it: who, why, until when is for the owner to say. */
export const DECLARED = [
  { journey: 'month-end', why: 'closing of the month, last calendar day, 22:00 to 23:00 UTC', owner: 'finance' },
  { journey: 'failover', why: 'payments of one cluster stand in for the other', owner: 'payments' },
]
