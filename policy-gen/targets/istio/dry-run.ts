import { parseAllDocuments } from 'yaml'
import { yamlOf } from '../../grants/yaml.ts'
import { isRecord } from '../../replay/fields.ts'
import type { PolicyFile } from '../target.ts'

/** Istio's own annotation; ALLOW and DENY policies only. Source: istio.io, "Security policy dry-run". */
const ANNOTATION = 'istio.io/dry-run'

/** What is tried stands beside what is enforced, so it has a name of its own. */
const SUFFIX = '-dry-run'

/**
 * The policies as a dry run: authorization is noted and not enforced. Mutual TLS and the verifying of tokens cannot be tried so;
 * they come with what is enforced.
 */
export function dryRun(files: readonly PolicyFile[]): PolicyFile[] {
  return files.flatMap(({ path, content }) => {
    const comment = content
      .split('\n')
      .filter((line) => line.startsWith('# '))
      .map((line) => line.slice(2))
    const documents = parseAllDocuments(content).map((document) => document.toJS() as unknown)
    const tried = documents
      .filter(isRecord)
      .filter(({ kind }) => kind === 'AuthorizationPolicy')
      .map(annotated)
    return tried.length > 0 ? [{ path: `dry-run/${path}`, content: yamlOf(tried, comment) }] : []
  })
}

function annotated(document: Record<string, unknown>): unknown {
  const metadata = isRecord(document['metadata']) ? document['metadata'] : {}
  const annotations = isRecord(metadata['annotations']) ? metadata['annotations'] : {}
  const name = `${metadata['name']}${SUFFIX}`
  return { ...document, metadata: { ...metadata, name, annotations: { ...annotations, [ANNOTATION]: 'true' } } }
}
