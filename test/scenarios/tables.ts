import { RHYTHMS, type Rhythm } from './rhythm.ts'
import { parameterNames, placeholder } from './values.ts'

export interface PortSpec {
  name: string
  servicePort: number
  workloadPort: number
}

/** One line of the workload table. */
export interface WorkloadSpec {
  namespace: string
  name: string
  kind: string
  account: string
  /** Name of the Service that it answers for, empty when nobody calls it. */
  service: string
  ports: PortSpec[]
  clusters: string[]
  replicas: number
  team: string
}

/** A path with parameters: `literals[0] + value + literals[1] + …`. */
export interface PathSpec {
  literals: string[]
  /** Index into `parameterNames`, and whether each call draws a value of its own. */
  parameters: { index: number; fresh: boolean }[]
  /** The path as ground truth names it: parameters by type, no query. */
  template: string
}

export interface CallSpec {
  service: string
  protocol: 'http' | 'grpc'
  method: string
  path: PathSpec
  originalPath: PathSpec | undefined
  /** Mean number of calls for each call of the parent. */
  times: number
  status: number
  failShare: number
  notFoundShare: number
  refused: boolean
  noRoute: boolean
  direct: boolean
  externalHost: string
  cluster: string
  evidence: boolean
  calls: CallSpec[]
}

export type Timing =
  | { kind: 'share'; weight: number; rhythm: Rhythm }
  | { kind: 'once'; count: number; at: number; minutes: number }
  | { kind: 'daily'; count: number; minuteOfDay: number; minutes: number }

export interface JourneySpec {
  name: string
  from: string
  users: 'none' | 'maybe' | 'customer' | 'staff'
  cluster: string
  plant: string
  timing: Timing
  calls: CallSpec[]
}

/** Reads the workload table. Throws when a line has not its nine columns. */
export function readWorkloads(table: string, clusters: readonly string[]): WorkloadSpec[] {
  return contentLines(table).map((line) => {
    const [namespace, name, kind, account, service, ports, where, replicas, team, ...rest] = line.trim().split(/\s+/)
    if (!namespace || !name || !kind || !account || !service || !ports || !where || !replicas || !team || rest.length)
      throw new Error(`workload table: nine columns expected in: ${line}`)
    return {
      namespace: dash(namespace),
      name,
      kind,
      account: dash(account),
      service: dash(service),
      ports: ports === '-' ? [] : ports.split(',').map(readPort),
      clusters: where === 'both' ? [...clusters] : [where],
      replicas: Number(replicas),
      team: dash(team),
    }
  })
}

function readPort(text: string): PortSpec {
  const match = /^(\w+):(\d+)>(\d+)$/.exec(text)
  if (!match) throw new Error(`workload table: a port is written name:service>workload, not ${text}`)
  return { name: match[1] ?? '', servicePort: Number(match[2]), workloadPort: Number(match[3]) }
}

/** Reads journeys. Throws with the offending line when it cannot be read. */
export function readJourneys(table: string): JourneySpec[] {
  const journeys: JourneySpec[] = []
  let open: { indent: number; calls: CallSpec[]; call: CallSpec | undefined }[] = []
  for (const line of contentLines(table)) {
    const indent = line.length - line.trimStart().length
    const words = line.trim().split(/\s+/)
    if (indent === 0) {
      const journey = readHead(words)
      journeys.push(journey)
      open = [{ indent: 0, calls: journey.calls, call: undefined }]
      continue
    }
    while ((open.at(-1)?.indent ?? -1) >= indent) open.pop()
    const parent = open.at(-1)
    if (!parent) throw new Error(`journeys: this call belongs to no journey: ${line}`)
    const call = readCall(words, parent.call)
    parent.calls.push(call)
    open.push({ indent, calls: call.calls, call })
  }
  return journeys
}

function readHead([name = '', ...words]: string[]): JourneySpec {
  const options = new Map(words.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]))
  const users = options.get('users') ?? 'none'
  const from = options.get('from')
  if (!from) throw new Error(`journeys: ${name} needs from=`)
  if (users !== 'none' && users !== 'maybe' && users !== 'customer' && users !== 'staff')
    throw new Error(`journeys: ${name} has users=${users}; use maybe, customer or staff`)
  const cluster = options.get('only') ?? ''
  return { name, from, users, cluster, plant: options.get('plant') ?? '', timing: readTiming(name, options), calls: [] }
}

function readTiming(name: string, options: Map<string, string>): Timing {
  const number = (key: string) => Number(options.get(key))
  if (options.has('weight')) {
    const rhythm = RHYTHMS.find((known) => known === options.get('rhythm'))
    if (!rhythm) throw new Error(`journeys: ${name} needs rhythm=, one of ${RHYTHMS.join(', ')}`)
    return { kind: 'share', weight: number('weight'), rhythm }
  }
  if (options.has('at')) return { kind: 'once', count: number('count'), at: number('at'), minutes: number('for') }
  if (options.has('daily'))
    return { kind: 'daily', count: number('count'), minuteOfDay: number('daily'), minutes: number('for') }
  throw new Error(`journeys: ${name} needs weight=, or count= with at= or daily=`)
}

function readCall([service = '', method = '', ...words]: string[], parent: CallSpec | undefined): CallSpec {
  const same = method === '^'
  if (same && !parent) throw new Error(`journeys: ${service} ^ has no caller to repeat`)
  const path = same ? '' : words.shift()
  if (path === undefined) throw new Error(`journeys: ${service} ${method} needs a path`)
  const options = new Map(words.map((word) => [/^(x(?=\d)|[a-z0-9]+=|\w+|!)/.exec(word)?.[0] ?? word, word]))
  const value = (key: string) => options.get(`${key}=`)?.slice(key.length + 1)
  const grpc = same ? parent?.protocol === 'grpc' : method === 'rpc'
  const was = value('was')
  return {
    service,
    protocol: grpc ? 'grpc' : 'http',
    method: same ? (parent?.method ?? '') : grpc ? 'POST' : method,
    path: same && parent ? parent.path : readPath(grpc ? `/${path}` : path),
    originalPath: was ? readPath(was) : same ? parent?.originalPath : undefined,
    times: Number(options.get('x')?.slice(1) ?? 1),
    status: Number(value('status') ?? 0),
    failShare: Number(value('fail') ?? 0.0015),
    notFoundShare: Number(value('fail404') ?? 0.008),
    refused: options.has('deny'),
    noRoute: options.has('noroute'),
    direct: options.has('direct'),
    externalHost: value('host') ?? '',
    cluster: value('in') ?? '',
    evidence: options.has('!'),
    calls: [],
  }
}

function readPath(text: string): PathSpec {
  const parts = text.split(/\{([\w-]+\*?)\}/)
  const literals = parts.filter((_, i) => i % 2 === 0)
  const parameters = parts
    .filter((_, i) => i % 2 === 1)
    .map((name) => {
      const index = parameterNames.indexOf(name.replace('*', ''))
      if (index < 0) throw new Error(`journeys: ${text} has the unknown parameter ${name}; values.ts lists them`)
      return { index, fresh: name.endsWith('*') }
    })
  const typed = literals.map((literal, i) => {
    const parameter = parameters[i]
    return literal + (parameter ? placeholder(parameter.index) : '')
  })
  return { literals, parameters, template: typed.join('').split('?')[0] ?? '' }
}

function contentLines(table: string): string[] {
  return table.split('\n').filter((line) => line.trim() !== '')
}

function dash(text: string): string {
  return text === '-' ? '' : text
}
