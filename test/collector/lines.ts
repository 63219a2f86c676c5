/** Seeded numbers of [0, 1) (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** What generated lines come to. */
export interface Generated {
  text: string
  lines: number
  accepted: number
  rejected: number
  denied: number
}

/**
 * Lines of Istio's text format over a few hours, callers and operations; some behind a container runtime's prefix, some
 * denied, and some that are no access log. No two are alike.
 */
export function generateText(seed: number, lines: number): Generated {
  const random = seeded(seed)
  const below = (n: number) => Math.floor(random() * n)
  const counts = { accepted: 0, rejected: 0, denied: 0 }
  const text: string[] = []
  for (let index = 0; index < lines; index++) {
    const kind = random()
    if (kind < 0.01) {
      text.push(`level=info msg="line ${seed}/${index}"\n`)
      counts.rejected++
      continue
    }
    counts.accepted++
    const denied = kind > 0.97
    if (denied) counts.denied++
    const two = (value: number) => String(value).padStart(2, '0')
    const time = `2026-11-2${below(3)}T${two(below(24))}:${two(below(60))}:${two(below(60))}.${String(below(1000)).padStart(3, '0')}Z`
    const outcome = denied ? '403 - rbac_access_denied_matched_policy[none]' : '200 - via_upstream'
    const prefix = kind < 0.03 ? '2026-11-22T00:00:00.1Z stdout F ' : ''
    text.push(
      `${prefix}[${time}] "GET /items/${index} HTTP/1.1" ${outcome} - "-" 0 ${below(9999)} ${below(99)} 0 "-" "agent/${seed}" "${index}" "orders.shop" "10.0.0.9:8080" inbound|8080|| 127.0.0.6:4${two(below(99))} 10.0.0.9:8080 10.0.1.${below(20)}:${1024 + below(60_000)} outbound_.80_._.s${below(12)}.shop.svc.cluster.local default\n`,
    )
  }
  return { text: text.join(''), lines, ...counts }
}
