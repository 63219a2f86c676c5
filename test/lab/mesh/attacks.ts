import { ACCOUNTS } from './accounts.ts'
import { ORDERS_MAX } from './applications.ts'
import type { Door } from './client.ts'
import { browse, type Dice, type Draft, placeOf, type Step } from './plan.ts'

/** Where attackers sit: places that no user has. */
export const FIRST_HOSTILE_PLACE = 100
export const STUFFING_TRIES = 25
export const ENUMERATED = 40

type Http = Extract<Step, { kind: 'http' }>

/** Attacks by name; each draft's `situation` is its label in the ground truth. */
export function attackItems(dice: Dice): Draft[] {
  return [
    stolenToken(dice),
    ...lateralMovement(),
    enumeration(dice),
    newCaller(),
    ...plaintext(),
    stuffing(dice),
    ...forgeries(dice),
  ].map((draft) => ({ ...draft, attack: true }))
}

type Attack = Omit<Draft, 'attack'>

const hostile = (dice: Dice) => FIRST_HOSTILE_PLACE + dice.below(100)

/** A token of somebody who is at home is used from somewhere else. */
function stolenToken(dice: Dice): Attack {
  const user = dice.of(ACCOUNTS.slice(0, 6)).name
  const place = hostile(dice)
  const order = () => dice.below(ORDERS_MAX)
  const steps = [
    browse(place, 'shop/orders', 'GET', '/api/orders', 200, { token: user }),
    ...Array.from({ length: 5 }, () =>
      browse(place, 'shop/orders', 'GET', `/api/orders/${order()}`, 200, { token: user }),
    ),
  ]
  return { situation: 'stolen-token', user, steps }
}

const from = (door: Door, callee: string, method: string, path: string, status: number, more: Partial<Http> = {}) =>
  ({ kind: 'http', door, callee, method, path, status, answered: status < 400 && status !== 0, ...more }) as const

const sidecar = (workload: string): Door => ({ kind: 'sidecar', from: workload })

/** A workload that was taken over calls what it never calls: some of it is refused, some is not. */
function lateralMovement(): Attack[] {
  return [
    {
      situation: 'lateral-refused',
      user: '',
      steps: [
        from(sidecar('shop/frontend'), 'pay/payments', 'POST', '/payments', 403),
        from(sidecar('shop/catalog-v2'), 'auth/issuer', 'POST', '/login', 403, { body: { user: 'ada' } }),
        from(sidecar('risk/fraud'), 'pay/payments', 'GET', '/payments', 403),
        { kind: 'grpc', from: 'auth/issuer', method: 'Reserve', code: 7 },
        { kind: 'tcp', from: 'shop/frontend', key: 'sessions', refused: true },
      ],
    },
    {
      situation: 'lateral-allowed',
      user: '',
      steps: [
        from(sidecar('shop/frontend'), 'risk/fraud', 'GET', '/summary', 200),
        from(sidecar('auth/issuer'), 'shop/catalog-v1', 'GET', '/items/1', 200),
      ],
    },
  ]
}

/** One user walks through the numbers of all orders. */
function enumeration(dice: Dice): Attack {
  const user = ACCOUNTS[ACCOUNTS.length - 1]?.name ?? ''
  const start = ORDERS_MAX - ENUMERATED / 2 - dice.below(ENUMERATED / 4)
  const place = placeOf(user)
  const steps = Array.from({ length: ENUMERATED }, (_, index) => {
    const order = start + index
    return browse(place, 'shop/orders', 'GET', `/api/orders/${order}`, order < ORDERS_MAX ? 200 : 404, { token: user })
  })
  return {
    situation: 'enumeration',
    user,
    steps: [{ kind: 'login', place, user, password: `${user}-secret`, status: 200 }, ...steps],
  }
}

const BACKUP: Door = { kind: 'mutual', from: 'ops/backup' }

/** An identity that was never seen: its certificate is good, and no sidecar of its own tells of it. */
function newCaller(): Attack {
  return {
    situation: 'new-caller',
    user: '',
    steps: [
      from(BACKUP, 'shop/catalog-v1', 'GET', '/items/export', 200),
      from(BACKUP, 'shop/orders', 'GET', '/orders/export', 403),
    ],
  }
}

/** Plain text to a sidecar that takes it, to one that does not, and past a sidecar to its application. */
function plaintext(): Attack[] {
  const debug = (to: 'sidecar' | 'application'): Door => ({ kind: 'plain', from: 'default/debug', to })
  return [
    {
      situation: 'plaintext-sidecar',
      user: '',
      steps: [
        from(debug('sidecar'), 'shop/catalog-v1', 'GET', '/items/7', 200),
        from(debug('sidecar'), 'shop/orders', 'GET', '/orders', 0),
      ],
    },
    {
      situation: 'plaintext-bypass',
      user: '',
      steps: [
        from(debug('application'), 'shop/orders', 'GET', '/orders/1', 200),
        from(debug('application'), 'pay/payments', 'GET', '/payments', 404, { answered: true }),
      ],
    },
  ]
}

/** Many names, one place, and at last a password that fits. */
function stuffing(dice: Dice): Attack {
  const place = hostile(dice)
  const tries = Array.from({ length: STUFFING_TRIES }, (_, index): Step => {
    const user = index % 3 === 0 ? dice.of(ACCOUNTS).name : `guess${index}`
    return { kind: 'login', place, user, password: `summer${dice.below(1000)}`, status: 401 }
  })
  const victim = dice.of(ACCOUNTS.slice(6, 9)).name
  const hit: Step = { kind: 'login', place, user: victim, password: `${victim}-secret`, status: 200 }
  return { situation: 'credential-stuffing', user: victim, steps: [...tries, hit] }
}

/** The values that nobody but a forger uses; none of them may become a caller, a path or an evidence. */
export const FORGED = {
  address: '203.0.113.66',
  path: '/forged/original',
  principal: 'cluster.local/ns/forged/sa/admin',
  requestId: 'f0f0f0f0-f0f0-40f0-80f0-f0f0f0f0f0f0',
  traceId: 'f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0',
} as const

/** Headers by which a client says who it is, where it asks and of what its request is a part. */
export const FORGED_HEADERS: Record<string, string> = {
  'x-forwarded-for': FORGED.address,
  'x-envoy-original-path': FORGED.path,
  'x-forwarded-client-cert': `By=spiffe://cluster.local/ns/shop/sa/orders;Hash=${'0'.repeat(64)};URI=spiffe://${FORGED.principal}`,
  'x-request-id': FORGED.requestId,
  traceparent: `00-${FORGED.traceId}-f0f0f0f0f0f0f0f0-01`,
}

function forgeries(dice: Dice): Attack[] {
  const place = hostile(dice)
  return [
    {
      situation: 'forged-outside',
      user: '',
      steps: [browse(place, 'shop/frontend', 'GET', '/products', 200, { headers: FORGED_HEADERS })],
    },
    {
      situation: 'forged-inside',
      user: '',
      steps: [
        from(sidecar('ops/reports'), 'risk/fraud', 'GET', '/summary', 200, { headers: FORGED_HEADERS }),
        from(BACKUP, 'shop/catalog-v1', 'GET', '/items/2', 200, { headers: FORGED_HEADERS }),
        from({ kind: 'plain', from: 'default/debug', to: 'sidecar' }, 'shop/catalog-v2', 'GET', '/items/3', 200, {
          headers: FORGED_HEADERS,
        }),
      ],
    },
  ]
}
