import type { Stage } from '../../services/model/lifecycle.ts'
import { parseYaml } from '../replay/documents.ts'
import { isRecord } from '../replay/fields.ts'
import type { PolicyFile, Target } from '../targets/target.ts'
import { canonical } from './canonical.ts'

/** The files of a draft as a stage has them; none where a target has no such stage. */
export function filesAt(
  stage: Exclude<Stage, 'absent'>,
  files: readonly PolicyFile[],
  { dryRun, enforced }: Target,
): PolicyFile[] {
  if (stage === 'dry_run') return dryRun?.(files) ?? []
  return enforced?.(files) ?? [...files]
}

/** What is deployed: documents, whatever their files are called and whatever the cluster added to them. */
export type Deployed = ReadonlySet<string>

export function deployedIn(files: readonly PolicyFile[]): Deployed {
  return new Set(files.flatMap(documentsOf))
}

/** Where a draft is, by what was read back: all of it in a stage, or `partial` where some is. */
export function stageOf(deployed: Deployed, files: readonly PolicyFile[], target: Target): Stage | 'partial' {
  const found = (['enforced', 'dry_run'] as const).map((stage) => {
    const documents = filesAt(stage, files, target).flatMap(documentsOf)
    return { stage, documents, there: documents.filter((document) => deployed.has(document)).length }
  })
  const whole = found.find(({ documents, there }) => documents.length > 0 && there === documents.length)
  if (whole) return whole.stage
  return found.some(({ there }) => there > 0) ? 'partial' : 'absent'
}

/** A file's documents, comparable: comments, status and what a cluster notes on an object are not what it says. */
function documentsOf(file: PolicyFile): string[] {
  const { path, content } = file
  if (!/\.ya?ml$/.test(path)) return [canonical([path.split('/').at(-1), content.replace(/^\s*(\/\/|#).*\n/gm, '')])]
  const documents = parseYaml(file)
  // A filter is for the proxies that the file's head names: they are one.
  const isObject = (document: unknown) => isRecord(document) && typeof document['apiVersion'] === 'string'
  return documents.every((document) => document === null || isObject(document))
    ? documents.flatMap(said)
    : [canonical(documents)]
}

function said(document: unknown): string[] {
  if (!isRecord(document)) return []
  const { apiVersion, kind, metadata, spec, items } = document
  if (kind === 'List' && Array.isArray(items)) return items.flatMap(said)
  if (!isRecord(metadata)) return [canonical(document)]
  const annotations = Object.entries(isRecord(metadata['annotations']) ? metadata['annotations'] : {})
  const own = annotations.filter(([key]) => OWN_ANNOTATION.test(key))
  const { name, namespace } = metadata
  return [canonical({ apiVersion, kind, name, namespace, annotations: Object.fromEntries(own), spec: spec ?? {} })]
}

/** What changes what a policy does, or where. */
const OWN_ANNOTATION = /^(istio\.io\/dry-run|cinch\.cluster)$/

/** Names of deployed documents that are of a draft's kinds and that no draft has: what others wrote, or somebody changed. */
export function foreignIn(deployed: Deployed, drafts: readonly PolicyFile[]): string[] {
  const own = deployedIn(drafts)
  const kinds = new Set([...own].map((document) => kindOf(document).kind))
  return [...deployed]
    .filter((document) => !own.has(document) && kinds.has(kindOf(document).kind))
    .map((document) => kindOf(document).name)
    .sort()
}

function kindOf(document: string): { kind: string; name: string } {
  const value: unknown = JSON.parse(document)
  const { kind = '', namespace = '', name = '' } = isRecord(value) ? value : {}
  return { kind: String(kind), name: isRecord(value) ? `${kind} ${namespace}/${name}` : 'a file' }
}
