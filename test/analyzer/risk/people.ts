import { seeded } from '../../policy-gen/support.ts'

/** A request of a user, as a proxy that verified the token tells of it. */
export interface Deed {
  /** Milliseconds since 1970. */
  at: number
  user: string
  /** Service account of the workload that calls for the user; each has one of his own. */
  caller?: string
  callee: string
  path: string
  method?: string
  status?: number
  address?: string
  agent?: string
  acr?: string
  authenticated?: number
  issuer?: string
  bytes?: number
}

export const ISSUER = 'https://id.example'
export const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

/** As the recommended format of Istio writes it. */
export function line(deed: Deed): string {
  const service = `${deed.callee}.shop.svc.cluster.local`
  return JSON.stringify({
    ...{
      start_time: new Date(deed.at).toISOString(),
      method: deed.method ?? 'GET',
      path: deed.path,
      protocol: 'HTTP/1.1',
    },
    ...{ response_code: deed.status ?? 200, response_code_details: 'via_upstream', response_flags: '-' },
    ...{ bytes_received: 0, bytes_sent: deed.bytes ?? 500, duration: 5, authority: service },
    ...{
      upstream_cluster: 'inbound|8080||',
      upstream_host: '10.1.0.9:8080',
      downstream_local_address: '10.1.0.9:8080',
    },
    ...{ downstream_remote_address: '10.1.0.7:43160', downstream_direct_remote_address: '10.1.0.7:43160' },
    ...{ requested_server_name: `outbound_.80_._.${service}`, tls_version: 'TLSv1.3' },
    ...{
      source_principal: `spiffe://cluster.local/ns/shop/sa/${deed.caller ?? `w-${deed.user}`}`,
      destination_principal: `spiffe://cluster.local/ns/shop/sa/${deed.callee}`,
    },
    ...{
      x_forwarded_for: deed.address ?? '203.0.113.7',
      user_agent: deed.agent ?? 'Mozilla/5.0 (X11; Linux) Firefox/128.0',
    },
    jwt: {
      ...{ iss: deed.issuer ?? ISSUER, sub: deed.user, acr: deed.acr ?? 'pwd', amr: ['pwd'], groups: ['staff'] },
      auth_time: Math.floor((deed.authenticated ?? deed.at - HOUR_MS) / 1_000),
    },
  })
}

/** What each half of the people works with; nobody of the one is seen at the other's. */
const WORK = {
  sales: ['orders /orders/7', 'orders /orders', 'customers /customers/3', 'customers /search', 'basket /basket'],
  money: ['ledger /accounts/4', 'ledger /entries', 'payments /payments/9', 'payments /refunds', 'reports /monthly'],
}

/** Days of people who work from nine to five, each at some of what their half works with, seldom at what is new to them. */
export function history(people: number, days: number, untilMs: number, seed: number): Deed[] {
  const random = seeded(seed)
  const below = (count: number) => Math.floor(random() * count)
  const deeds: Deed[] = []
  for (let user = 0; user < people; user += 1) {
    const [work, other] = user % 2 === 0 ? [WORK.sales, WORK.money] : [WORK.money, WORK.sales]
    const usual = work.filter((_, at) => at !== user % work.length)
    for (let day = days; day >= 1; day -= 1) {
      const start = untilMs - day * DAY_MS + 9 * HOUR_MS
      for (let deed = 0, count = 20 + below(20); deed < count; deed += 1) {
        const from = random() < 0.002 ? other : random() < 0.02 ? work : usual
        const [callee = '', path = ''] = (from[below(from.length)] ?? '').split(' ')
        deeds.push({
          ...{ at: start + below(8 * HOUR_MS), callee, path, user: `u${user}` },
          address: `203.0.${user}.7`,
        })
      }
    }
  }
  return deeds.sort((a, b) => a.at - b.at)
}
