/*
 * A mesh's traffic in Istio's default format, with who really called. Lines are wrapped as Fluent Bit does it, so that a line names the
 * pod that wrote it. All from the seed.
 */

/** Why nothing in the default format can prove a caller: what is told of it then must be nothing, or a claim that is right. */
export type Hidden = '' | 'nat' | 'no_sidecar' | 'forwarded'

/** A call as it reached its callee: the truth beside one line of the callee. */
export interface TrueCall {
  caller: string
  callee: string
  minute: number
  method: string
  path: string
  hidden: Hidden
}

export interface Line {
  text: string
  atMs: number
  /** Of a callee's line. */
  call?: TrueCall
}

interface Pod {
  workload: string
  name: string
  ip: string
  since: number
  until: number
  skewMs: number
  ports: number
}

const START = Date.parse('2026-11-05T10:00:00Z')
const MINUTES = 12
const REPLACED_EVERY_MS = 300_000
/** An address is free for so long before another workload's pod gets it. */
const GAP_MS = 20_000
const WORKLOADS = ['web', 'cart', 'orders', 'stock', 'pay', 'mail', 'users', 'search', 'ads', 'audit'].map(
  (name, at) => `${at % 2 === 0 ? 'shop' : 'core'}/${name}`,
)
const NATTED = 'edge/kiosk'
const BARE = 'old/batch'
const GATEWAY = 'istio-system/ingress'
const NAT_IP = '192.168.9.9'
const LISTENS = 8080

/** `roots` requests of users and of workloads, each with the calls that follow from it. */
export function traffic(random: () => number, roots: number): Line[] {
  const world = createWorld(random)
  for (let root = 0; root < roots; root++) {
    const timeMs = START + random() * MINUTES * 60_000
    const from = world.running(firstCaller(world), timeMs)
    const id = newId(random)
    world.ids.push(id)
    if (from.length > 0) call(world, world.pick(from), world.pick(WORKLOADS), { timeMs, id, depth: 3 })
  }
  return world.lines.sort((a, b) => a.atMs - b.atMs)
}

interface World {
  random: () => number
  pick: <T>(of: readonly T[]) => T
  chance: (share: number) => boolean
  /** Pods of a workload that will go on running for the length of a chain. */
  running: (workload: string, timeMs: number) => Pod[]
  pods: Pod[]
  lines: Line[]
  /** Request ids that were used: some applications send another's. */
  ids: string[]
  pools: Map<string, string[]>
}

function createWorld(random: () => number): World {
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T
  const pods = replacedPods(pick, random)
  const running = (workload: string, timeMs: number) =>
    pods.filter((pod) => pod.workload === workload && pod.since <= timeMs && timeMs + 3_000 < pod.until)
  return {
    random,
    pick,
    chance: (share) => random() < share,
    running,
    pods,
    lines: [],
    ids: [],
    pools: new Map(),
  }
}

function firstCaller({ chance, pick }: World): string {
  if (chance(0.1)) return GATEWAY
  if (chance(0.08)) return NATTED
  return chance(0.05) ? BARE : pick(WORKLOADS)
}

function newId(random: () => number): string {
  const hex = (length: number) => Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join('')
  return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`
}

/** One call with what follows from it at the callee. */
function call(world: World, caller: Pod, callee: string, at: { timeMs: number; id: string; depth: number }): void {
  const { random, chance, pick } = world
  const servers = world.running(callee, at.timeMs)
  if (servers.length === 0) return
  const server = pick(servers)
  const asked = ask(world, caller, callee, at.id)
  const isShared = chance(0.5)
  // Attempts before the last have lines of their callees only, on other connections.
  const failed = chance(0.03) ? 1 + Math.floor(random() * 2) : 0
  for (let attempt = 0; attempt < failed; attempt++) {
    const other = pick(servers)
    const fields = { ...asked.fields, response_code: 503 }
    serve(world, { caller, server: other, port: connection(world, caller, other, false) }, at.timeMs + 2 * attempt, {
      ...asked,
      fields,
    })
  }
  const connected = { caller, server, port: connection(world, caller, server, isShared) }
  const startMs = at.timeMs + 2 * failed
  serve(world, connected, startMs + 1, asked)
  if (asked.hidden !== 'no_sidecar') send(world, connected, at.timeMs, asked, 2 * failed + 1)
  if (at.depth === 0) return
  const fan = Math.floor(random() * 3)
  for (let next = 0; next < fan; next++) {
    const target = pick(WORKLOADS)
    // Several like calls in a row, as a loop over items makes them.
    const times = chance(0.15) ? 4 : 1
    for (let again = 0; again < times; again++)
      call(world, server, target, { timeMs: startMs + 2 + next + again, id: at.id, depth: at.depth - 1 })
  }
}

/** What is asked, and what of it hides the caller. Some applications send another's id, some none; some forge where they come from. */
function ask({ random, chance, pick, ids, pods }: World, caller: Pod, callee: string, id: string): Asked {
  const sent = chance(0.04) ? null : chance(0.03) && ids.length > 0 ? pick(ids) : id
  const isGateway = caller.workload === GATEWAY
  const isForged = isGateway || chance(0.01)
  const hidden: Hidden =
    caller.workload === NATTED ? 'nat' : caller.workload === BARE ? 'no_sidecar' : isForged ? 'forwarded' : ''
  const from = isGateway ? '203.0.113.7' : pick(pods).ip
  const fields = {
    method: chance(0.7) ? 'GET' : 'POST',
    path: `/${callee.split('/')[1]}/op${Math.floor(random() * 12)}`,
    request_id: sent,
    duration: 1 + Math.floor(random() ** 3 * 800),
    bytes_sent: Math.floor(random() * 5_000),
    bytes_received: Math.floor(random() * 300),
    x_forwarded_for: hidden === 'forwarded' ? from : null,
  }
  return { hidden, fields, ...(hidden === 'forwarded' && { forged: `${from}:0` }) }
}

interface Connected {
  caller: Pod
  server: Pod
  port: string
}

/** A connection of the pool between two pods, or a new one: HTTP/2 shares one, HTTP/1.1 takes any that there is. */
function connection({ pools, chance, pick }: World, client: Pod, server: Pod, isShared: boolean): string {
  const key = `${client.name} ${server.name} ${isShared}`
  const pool = pools.get(key) ?? []
  pools.set(key, pool)
  if (pool.length > 0 && (isShared || chance(0.8))) return pick(pool)
  const port = `${32_768 + (client.ports++ % 28_000)}`
  pool.push(port)
  return port
}

/** The callee's line. */
function serve(world: World, { caller, server, port }: Connected, timeMs: number, asked: Asked): void {
  const { hidden, forged, fields } = asked
  const natted = `${NAT_IP}:${20_000 + Math.floor(world.random() * 40_000)}`
  const [namespace, name] = server.workload.split('/')
  const { method, path } = fields
  write(
    world,
    server,
    timeMs,
    {
      ...fields,
      upstream_cluster: `inbound|${LISTENS}||`,
      upstream_host: `10.0.0.9:${LISTENS}`,
      upstream_local_address: '127.0.0.6:40000',
      downstream_local_address: `${server.ip}:${LISTENS}`,
      downstream_remote_address: forged ?? (hidden === 'nat' ? natted : `${caller.ip}:${port}`),
      requested_server_name: hidden === 'no_sidecar' ? null : `outbound_.80_._.${name}.${namespace}.svc.cluster.local`,
    },
    { caller: caller.workload, callee: server.workload, minute: 0, method, path, hidden },
  )
}

/** The caller's own line: one for all attempts, with the last one's connection. */
function send(
  world: World,
  { caller, server, port }: Connected,
  timeMs: number,
  { fields }: Asked,
  tookMs: number,
): void {
  const [namespace, name] = server.workload.split('/')
  const isGateway = caller.workload === GATEWAY
  const outside = `203.0.113.${1 + Math.floor(world.random() * 250)}`
  const application = 40_000 + Math.floor(world.random() * 9_000)
  write(world, caller, timeMs, {
    ...fields,
    duration: fields.duration + tookMs,
    upstream_cluster: `outbound|80||${name}.${namespace}.svc.cluster.local`,
    upstream_host: `${server.ip}:${LISTENS}`,
    upstream_local_address: `${caller.ip}:${port}`,
    downstream_local_address: isGateway ? `${caller.ip}:8443` : '10.96.0.7:80',
    downstream_remote_address: `${isGateway ? outside : caller.ip}:${application}`,
    requested_server_name: null,
  })
}

function write(world: World, pod: Pod, timeMs: number, fields: Record<string, unknown>, told?: TrueCall): void {
  const [namespace_name = '', app = ''] = pod.workload.split('/')
  const start = Math.round(timeMs + pod.skewMs)
  const time = new Date(start).toISOString()
  const log = JSON.stringify({
    start_time: time,
    protocol: 'HTTP/1.1',
    response_code: 200,
    user_agent: 'go',
    ...fields,
  })
  const kubernetes = { namespace_name, pod_name: pod.name, container_name: 'istio-proxy', labels: { app } }
  const text = JSON.stringify({ log, kubernetes })
  world.lines.push({ text, atMs: start, ...(told && { call: { ...told, minute: Math.floor(start / 60_000) } }) })
}

interface Asked {
  hidden: Hidden
  forged?: string
  fields: { method: string; path: string; request_id: string | null; duration: number } & Record<string, unknown>
}

/** Pods of every workload; each while the addresses are dealt anew, so that one that was somebody's is another's later. */
function replacedPods(pick: <T>(of: readonly T[]) => T, random: () => number): Pod[] {
  const addresses = Array.from({ length: 40 }, (_, at) => `10.1.${at >> 4}.${10 + (at & 15)}`)
  const pods: Pod[] = []
  const letters = 'bcdfghjklmnpqrstvwxz2456789'.split('')
  for (let since = START - REPLACED_EVERY_MS; since < START + MINUTES * 60_000; since += REPLACED_EVERY_MS) {
    const free = [...addresses].sort(() => random() - 0.5)
    for (const workload of [...WORKLOADS, NATTED, BARE, GATEWAY])
      for (let replica = 0; replica < 3; replica++) {
        const hash = Array.from({ length: 5 }, () => pick(letters)).join('')
        const ip = free.pop() ?? ''
        const name = `${workload.split('/')[1]}-5f7c9d8b6d-${hash}`
        pods.push({
          workload,
          name,
          ip,
          since,
          until: since + REPLACED_EVERY_MS - GAP_MS,
          skewMs: (random() - 0.5) * 30,
          ports: Math.floor(random() * 20_000),
        })
      }
  }
  return pods
}
