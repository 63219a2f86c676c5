import { LineCounter, parseAllDocuments } from 'yaml'
import { PolicyError } from '../errors.ts'
import { isRecord } from './fields.ts'

/** A file as it is on disk. */
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

/** One document of a YAML file; a Kubernetes `List` is the documents that it holds. */
export interface PolicyDocument {
  file: string
  /** Empty where the document is no Kubernetes object. */
  apiVersion: string
  kind: string
  metadata: Record<string, unknown>
  value: Record<string, unknown>
}

/** The files of a policy set, of which each format takes what is its own. */
export interface PolicySet {
  texts: readonly PolicyText[]
  documents: readonly PolicyDocument[]
  /** Takes the documents of a format; nobody else gets them. */
  take: (mine: (document: PolicyDocument) => boolean) => PolicyDocument[]
  /** What no format has taken. */
  rest: () => PolicyDocument[]
}

/** @throws PolicyError `bad_policy`, with the file and what to do */
export function readPolicySet(files: readonly PolicyText[]): PolicySet {
  const documents = files
    .filter(({ path }) => /\.ya?ml$/i.test(path))
    .flatMap((file) => parseYaml(file).flatMap((value) => documentsOf(value, file.path)))
  const left = new Set(documents)
  const take: PolicySet['take'] = (mine) => {
    const taken = documents.filter((document) => left.has(document) && mine(document))
    for (const document of taken) left.delete(document)
    return taken
  }
  return { texts: files, documents, take, rest: () => [...left] }
}

/** What nothing evaluates: a Kubernetes object of another kind is said, anything else is a mistake. */
export function ignoredDocument({ file, apiVersion, kind, metadata }: PolicyDocument): IgnoredDocument {
  if (apiVersion === '' || kind === '')
    throw new PolicyError('bad_policy', 'a document has no apiVersion and kind', file)
  const { name } = metadata
  const shown = typeof name === 'string' ? name : ''
  return { file, kind: `${apiVersion} ${kind}`, name: shown, reason: 'replay does not evaluate this kind' }
}

/**
 * The documents of a YAML file as plain values, of which none holds itself.
 *
 * @throws PolicyError `bad_policy`, with the file and what to do
 */
export function parseYaml(file: PolicyText): unknown[] {
  const lineCounter = new LineCounter()
  const parsed = parseAllDocuments(file.content, { lineCounter, uniqueKeys: true, prettyErrors: true })
  if (!Array.isArray(parsed)) return []
  return parsed.map((document) => {
    const [error] = [...document.errors, ...document.warnings]
    if (error) throw new PolicyError('bad_policy', `is no valid YAML: ${error.message.trim()}`, file.path)
    try {
      const value = document.toJS({ maxAliasCount: 100 }) as unknown
      // Only an anchor can lead a document into itself, without an end for whoever goes through it.
      if (file.content.includes('&')) JSON.stringify(value)
      return value
    } catch (cause) {
      const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
      throw new PolicyError('bad_policy', `is no YAML that can be read: ${why}`, file.path)
    }
  })
}

function documentsOf(value: unknown, file: string): PolicyDocument[] {
  if (value === null || value === undefined) return []
  if (!isRecord(value)) throw new PolicyError('bad_policy', 'a document is no Kubernetes object', file)
  const { kind, apiVersion, items, metadata } = value
  if (kind === 'List' && Array.isArray(items)) return items.flatMap((item) => documentsOf(item, file))
  return [
    {
      file,
      apiVersion: typeof apiVersion === 'string' ? apiVersion : '',
      kind: typeof kind === 'string' ? kind : '',
      metadata: isRecord(metadata) ? metadata : {},
      value,
    },
  ]
}
