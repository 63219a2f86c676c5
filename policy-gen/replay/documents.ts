import { LineCounter, parseAllDocuments } from 'yaml'
import { PolicyError } from '../errors.ts'
import { field, isRecord, optionalRecord, type Reader, requiredString, stringMap } from './fields.ts'
import { type AuthorizationPolicy, readAuthorizationPolicy } from './read-authorization.ts'
import { type PeerAuthentication, readPeerAuthentication } from './read-peer.ts'

/** A file as it is on disk; only `.yaml` and `.yml` are read. */
export interface PolicyText {
  path: string
  content: string
}

/** A document that is valid and not evaluated, with the reason. */
export interface IgnoredDocument {
  file: string
  kind: string
  name: string
  reason: string
}

export interface PolicyDocuments {
  authorization: AuthorizationPolicy[]
  peers: PeerAuthentication[]
  ignored: IgnoredDocument[]
}

/** Where a document came from and what it is called. */
export interface DocumentHead {
  file: string
  name: string
  namespace: string
  /** The only cluster that it is applied in (annotation `cinch.cluster`); undefined for all. */
  cluster: string | undefined
  dryRun: boolean
}

interface Metadata {
  name?: unknown
  namespace?: unknown
  annotations?: unknown
}

const API = /^security\.istio\.io\/(v1|v1beta1)$/

/**
 * Reads every document of every YAML file, as the API server and Istio's validation would take them.
 *
 * @throws PolicyError `bad_policy`, with the file and what to do
 */
export function readDocuments(files: readonly PolicyText[]): PolicyDocuments {
  const documents: PolicyDocuments = { authorization: [], peers: [], ignored: [] }
  const names = new Map<string, string>()
  for (const file of files) {
    if (!/\.ya?ml$/i.test(file.path)) continue
    for (const value of parse(file)) readDocument(value, file.path, documents, names)
  }
  return documents
}

function parse(file: PolicyText): unknown[] {
  const lineCounter = new LineCounter()
  const parsed = parseAllDocuments(file.content, { lineCounter, uniqueKeys: true, prettyErrors: true })
  if (!Array.isArray(parsed)) return []
  return parsed.map((document) => {
    const [error] = [...document.errors, ...document.warnings]
    if (error) throw new PolicyError('bad_policy', `is no valid YAML: ${error.message.trim()}`, file.path)
    try {
      return document.toJS({ maxAliasCount: 100 }) as unknown
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new PolicyError('bad_policy', `is no YAML that can be read: ${why}`, file.path)
    }
  })
}

function readDocument(value: unknown, file: string, out: PolicyDocuments, names: Map<string, string>): void {
  if (value === null || value === undefined) return
  if (!isRecord(value)) throw new PolicyError('bad_policy', 'a document is no Kubernetes object', file)
  const { kind, apiVersion, items, metadata: written, spec: body } = value
  if (typeof kind !== 'string' || typeof apiVersion !== 'string') {
    throw new PolicyError('bad_policy', 'a document has no apiVersion and kind', file)
  }
  if (kind === 'List' && Array.isArray(items)) {
    for (const item of items) readDocument(item, file, out, names)
    return
  }
  const metadata: Metadata = isRecord(written) ? written : {}
  const shown = typeof metadata.name === 'string' ? metadata.name : ''
  if (!API.test(apiVersion) || (kind !== 'AuthorizationPolicy' && kind !== 'PeerAuthentication')) {
    out.ignored.push({ file, kind: `${apiVersion} ${kind}`, name: shown, reason: 'replay does not evaluate this kind' })
    return
  }
  const reader: Reader = { file, at: `${kind} ${shown}` }
  const head = readHead(metadata, reader)
  const key = JSON.stringify([kind, head.cluster ?? null, head.namespace, head.name])
  const other = names.get(key)
  if (other !== undefined) {
    const message = `${kind} ${head.namespace}/${head.name} is also in ${other}: the later one would replace the other; rename one`
    throw new PolicyError('bad_policy', message, file)
  }
  names.set(key, file)
  const spec = optionalRecord(body ?? undefined, field(reader, 'spec')) ?? {}
  if (kind === 'PeerAuthentication') out.peers.push(readPeerAuthentication(head, spec, reader))
  else if (head.dryRun) {
    out.ignored.push({ file, kind, name: head.name, reason: 'istio.io/dry-run: it is logged, not enforced' })
    readAuthorizationPolicy(head, spec, reader)
  } else out.authorization.push(readAuthorizationPolicy(head, spec, reader))
}

function readHead(metadata: Metadata, reader: Reader): DocumentHead {
  const name = requiredString(metadata.name, field(reader, 'metadata.name'))
  const { namespace = 'default' } = metadata
  const annotations = stringMap(metadata.annotations, field(reader, 'metadata.annotations'))
  return {
    file: reader.file,
    name,
    namespace: requiredString(namespace, field(reader, 'metadata.namespace')),
    cluster: annotations['cinch.cluster'],
    dryRun: annotations['istio.io/dry-run'] === 'true',
  }
}
