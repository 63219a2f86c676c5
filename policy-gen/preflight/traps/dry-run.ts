import type { PolicyDocument } from '../../replay/documents.ts'
import { isRecord } from '../../replay/fields.ts'
import { readSelector } from '../../replay/istio/read-selector.ts'
import { type Ground, isAmbient, placeOf, selected, specOf, type Trap } from '../ground.ts'

/** The first release of ztunnel that knows dry runs (istio pkg/features/ambient.go). */
const ZTUNNEL_MINOR = 29
/** Without it, istiod does not hand dry runs to ztunnel. */
const SETTING = 'AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY'

/**
 * A dry run at ztunnel needs a release and a setting that know it: with the setting, an older ztunnel enforces it; without
 * the setting it is not there at all, and nothing is told.
 */
export const dryRunAmbient: Trap = {
  id: 'dry_run_ambient',
  title: 'a dry run in ambient mode, which ztunnel before 1.29 enforces, or nobody looks at',
  find: (ground) => {
    const known = installed(ground.documents)
    if (known.minor >= ZTUNNEL_MINOR && known.setting === true) return []
    const ignored = known.setting === false
    return dryRuns(ground.documents).flatMap((document) => {
      const { targetRefs, targetRef, selector } = specOf(document)
      if (targetRefs !== undefined || targetRef !== undefined) return []
      const names = ambientNames(ground, document, selector)
      if (names.length === 0) return []
      const consequence = ignored
        ? `istiod without ${SETTING} keeps it from ztunnel: nothing is logged`
        : `ztunnel before 1.${ZTUNNEL_MINOR} enforces it; without ${SETTING} at istiod nothing is logged`
      return [
        {
          harm: ignored ? ('ignored' as const) : ('breaks' as const),
          file: document.file,
          object: placeOf(document).object,
          what: `it selects ${names.join(', ')} in ambient mode: ${consequence}`,
          fix: 'bind it to a waypoint with targetRefs, or update ztunnel first and then set that',
        },
      ]
    })
  },
}

function dryRuns(documents: readonly PolicyDocument[]): PolicyDocument[] {
  return documents.filter(({ kind, metadata: { annotations } }) => {
    return kind === 'AuthorizationPolicy' && isRecord(annotations) && annotations['istio.io/dry-run'] === 'true'
  })
}

function ambientNames(ground: Ground, document: PolicyDocument, selector: unknown): string[] {
  const { namespace, object } = placeOf(document)
  const labels = readSelector(selector, { file: document.file, at: object })
  return selected(ground.inventory, { namespace, cluster: undefined }, labels)
    .filter((workload) => isAmbient(ground, workload))
    .map(({ name }) => name)
}

/** What the set declares of ztunnel's release and istiod's setting; a minor of 0 and null where it does not. */
function installed(documents: readonly PolicyDocument[]): { minor: number; setting: boolean | null } {
  const containers = documents.flatMap(containersOf)
  const image = containers.map((one) => /\bztunnel[\w-]*:v?1\.(\d+)/.exec(String(one['image'])))
  const minors = image.flatMap((found) => (found ? [Number(found[1])] : []))
  const istiod = containers.filter((one) => /\bpilot[\w-]*:/.test(String(one['image'])))
  const settings = istiod.map(({ env }) => (Array.isArray(env) ? env : []).filter(isRecord).some(isSet))
  return {
    minor: minors.length > 0 ? Math.min(...minors) : 0,
    setting: settings.length > 0 ? settings.every(Boolean) : null,
  }
}

function isSet({ name, value }: Record<string, unknown>): boolean {
  return name === SETTING && value === 'true'
}

function containersOf(document: PolicyDocument): Record<string, unknown>[] {
  const { template } = specOf(document)
  const spec = isRecord(template) ? template['spec'] : undefined
  const list = isRecord(spec) ? spec['containers'] : undefined
  return Array.isArray(list) ? list.filter(isRecord) : []
}
