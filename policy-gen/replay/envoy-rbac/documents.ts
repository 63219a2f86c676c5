import { PolicyError } from '../../errors.ts'
import type { IgnoredDocument, PolicyDocument } from '../documents.ts'
import {
  fail,
  field,
  isRecord,
  optionalList,
  optionalRecord,
  type Reader,
  requiredString,
  stringMap,
  strings,
} from '../fields.ts'
import type { Verdict } from '../layer.ts'
import type { ReplayRequest } from '../request.ts'
import { integer, message } from './proto.ts'
import { type Engine, readRbac } from './read-rbac.ts'

/** The proxies that a file's filters stand in: the head document, which holds until the next one of the file. */
export interface Proxies {
  /** The only cluster, undefined for all. */
  cluster: string | undefined
  namespace: string
  selector: Record<string, string> | undefined
  workloads: string[] | undefined
  /** The listeners, by the workload's port; none for all. */
  ports: ReadonlySet<number>
  /** Whether the listeners' TLS takes sessions up again, which is the default. */
  resumesSessions: boolean
}

export interface Filter {
  proxies: Proxies
  /** What it sees: requests, or connections before HTTP is read. */
  sees: 'http' | 'connections'
  /** Where it stands, and the rules that it enforces as they are written (undefined: none; `matcher`: not these). */
  reader: Reader
  enforces: { rules: unknown } | 'matcher'
  decide: (request: ReplayRequest) => Verdict
}

const TYPES: Record<string, Filter['sees']> = {
  'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC': 'http',
  'type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC': 'connections',
}
const FIELDS = {
  http: [
    'rules',
    'matcher',
    'rules_stat_prefix',
    'shadow_rules',
    'shadow_matcher',
    'shadow_rules_stat_prefix',
    'track_per_rule_stats',
  ],
  connections: [
    'rules',
    'matcher',
    'stat_prefix',
    'shadow_rules',
    'shadow_matcher',
    'shadow_rules_stat_prefix',
    'enforcement_type',
    'delay_deny',
  ],
}
const PORTS_MAX = 1_000

/** Takes head documents and RBAC filters; neither is a Kubernetes object. */
export function isEnvoyRbac(document: PolicyDocument): boolean {
  return isHead(document) || typeOf(document) !== undefined
}

function isHead({ apiVersion, kind, value }: PolicyDocument): boolean {
  return apiVersion === '' && kind === '' && Object.hasOwn(value, 'proxies')
}

function typeOf({ value }: PolicyDocument): Filter['sees'] | undefined {
  const config = value['typed_config'] ?? value['typedConfig']
  const type = isRecord(config) ? config['@type'] : undefined
  return typeof type === 'string' && Object.hasOwn(TYPES, type) ? TYPES[type] : undefined
}

/** @throws PolicyError `bad_policy`, with the file and what to do */
export function readFilters(documents: readonly PolicyDocument[]): { filters: Filter[]; ignored: IgnoredDocument[] } {
  const filters: Filter[] = []
  const ignored: IgnoredDocument[] = []
  const heads = new Map<string, Proxies>()
  for (const document of documents) {
    const { file } = document
    if (isHead(document)) {
      heads.set(file, readProxies(document))
      continue
    }
    const proxies = heads.get(file)
    if (!proxies) {
      throw new PolicyError('bad_policy', 'has a filter before any document "proxies: {namespace, selector}"', file)
    }
    filters.push({ proxies, ...readFilter(document, proxies, ignored) })
  }
  return { filters, ignored }
}

function readProxies({ file, value }: PolicyDocument): Proxies {
  const reader: Reader = { file, at: 'proxies' }
  optionalRecord(value, reader, ['proxies'])
  const head =
    optionalRecord(value['proxies'], reader, [
      'cluster',
      'namespace',
      'selector',
      'workloads',
      'ports',
      'resumes_sessions',
    ]) ?? {}
  const { cluster, namespace, selector, workloads, ports, resumes_sessions: resumes = true } = head
  if (typeof resumes !== 'boolean') fail(field(reader, 'resumes_sessions'), 'must be true or false')
  const numbers = optionalList(ports, field(reader, 'ports'), PORTS_MAX) ?? []
  return {
    cluster: cluster === undefined ? undefined : requiredString(cluster, field(reader, 'cluster')),
    namespace: requiredString(namespace, field(reader, 'namespace')),
    selector: selector === undefined ? undefined : stringMap(selector, field(reader, 'selector')),
    workloads: workloads === undefined ? undefined : strings(workloads, field(reader, 'workloads')),
    ports: new Set(numbers.map((port) => integer(port, field(reader, 'ports'), 65_535))),
    resumesSessions: resumes,
  }
}

function readFilter(document: PolicyDocument, proxies: Proxies, ignored: IgnoredDocument[]): Omit<Filter, 'proxies'> {
  const { file, value } = document
  const sees = typeOf(document) ?? 'http'
  const { name: written, typed_config: config } = message(value, { file, at: 'a filter' }, [
    'name',
    'typed_config',
    'disabled',
  ])
  const name = requiredString(written, { file, at: 'a filter: name' })
  const reader: Reader = { file, at: name }
  const { '@type': type, ...plain } = isRecord(config) ? config : {}
  const filter = message(plain, reader, FIELDS[sees])
  const ignore = (part: string, reason: string): void => {
    ignored.push({ file, kind: String(type), name: `${name} ${part}`, reason })
  }
  if (filter['shadow_rules'] !== undefined) {
    readRbac(filter['shadow_rules'], proxies, field(reader, 'shadow_rules'))
    ignore('shadow_rules', 'they are counted and logged, not enforced')
  }
  if (filter['shadow_matcher'] !== undefined) ignore('shadow_matcher', 'it is counted and logged, not enforced')
  if (filter['matcher'] !== undefined) {
    ignore('matcher', 'replay does not evaluate matcher trees (xds.type.matcher.v3.Matcher)')
    return {
      ...{ sees, reader, enforces: 'matcher' },
      decide: () => ({ allowed: 'unknown', reason: `not known: the matcher of ${name}` }),
    }
  }
  // No rules are no enforcement; rules without a policy deny everything.
  const { rules } = filter
  const unenforced: Engine = () => ({ allowed: 'yes', reason: `${name} has no rules to enforce` })
  const decide = rules === undefined ? unenforced : readRbac(rules, proxies, reader)
  return { sees, reader, enforces: { rules }, decide }
}
