import { PolicyError } from '../../errors.ts'
import type { IgnoredDocument, PolicyDocument } from '../documents.ts'
import { field, optionalRecord, type Reader, requiredString, stringMap } from '../fields.ts'
import { type AuthorizationPolicy, readAuthorizationPolicy } from './read-authorization.ts'
import { type PeerAuthentication, readPeerAuthentication } from './read-peer.ts'
import { type RequestAuthentication, readRequestAuthentication } from './read-tokens.ts'

export interface IstioDocuments {
  authorization: AuthorizationPolicy[]
  peers: PeerAuthentication[]
  tokens: RequestAuthentication[]
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

const API = /^security\.istio\.io\/(v1|v1beta1)$/

const KINDS = new Set(['AuthorizationPolicy', 'PeerAuthentication', 'RequestAuthentication'])

export function isIstio({ apiVersion, kind }: PolicyDocument): boolean {
  return API.test(apiVersion) && KINDS.has(kind)
}

/**
 * Reads Istio's documents as the API server and Istio's validation would take them.
 *
 * @throws PolicyError `bad_policy`, with the file and what to do
 */
export function readIstio(documents: readonly PolicyDocument[]): IstioDocuments {
  const out: IstioDocuments = { authorization: [], peers: [], tokens: [], ignored: [] }
  const names = new Map<string, string>()
  for (const document of documents) readDocument(document, out, names)
  return out
}

function readDocument(document: PolicyDocument, out: IstioDocuments, names: Map<string, string>): void {
  const { file, kind, metadata } = document
  const { spec: body } = document.value
  const reader: Reader = { file, at: `${kind} ${typeof metadata['name'] === 'string' ? metadata['name'] : ''}` }
  const head = readHead(metadata, reader)
  const key = JSON.stringify([kind, head.cluster ?? null, head.namespace, head.name])
  const other = names.get(key)
  if (other !== undefined) {
    const message = `${kind} ${head.namespace}/${head.name} is also in ${other}: the later one would replace the other; rename one`
    throw new PolicyError('bad_policy', message, file)
  }
  names.set(key, file)
  const spec = optionalRecord(body ?? undefined, field(reader, 'spec')) ?? {}
  if (kind === 'RequestAuthentication') out.tokens.push(readRequestAuthentication(head, spec, reader))
  else if (kind === 'PeerAuthentication') out.peers.push(readPeerAuthentication(head, spec, reader))
  else if (head.dryRun) {
    out.ignored.push({ file, kind, name: head.name, reason: 'istio.io/dry-run: it is logged, not enforced' })
    readAuthorizationPolicy(head, spec, reader)
  } else out.authorization.push(readAuthorizationPolicy(head, spec, reader))
}

function readHead(metadata: Record<string, unknown>, reader: Reader): DocumentHead {
  const { name: written, namespace = 'default', annotations: noted } = metadata
  const name = requiredString(written, field(reader, 'metadata.name'))
  const annotations = stringMap(noted, field(reader, 'metadata.annotations'))
  return {
    file: reader.file,
    name,
    namespace: requiredString(namespace, field(reader, 'metadata.namespace')),
    cluster: annotations['cinch.cluster'],
    dryRun: annotations['istio.io/dry-run'] === 'true',
  }
}
