import type { KnownCallee } from '../callees.ts'
import { isRecord } from '../fields.ts'
import { CALLEE } from './documents.ts'
import type { EntityJson } from './engine.ts'
import { uidOf } from './slices.ts'

/** The callees among the entities, whose labels are their tags. */
export function readCallees(entities: readonly EntityJson[]): KnownCallee[] {
  return entities.filter((entity) => uidOf(entity).type === CALLEE).map(readCallee)
}

function readCallee(entity: EntityJson): KnownCallee {
  const { cluster, namespace } = entity.attrs
  const labels = Object.entries(isRecord(entity.tags) ? entity.tags : {})
  return {
    id: uidOf(entity).id,
    cluster: typeof cluster === 'string' ? cluster : '',
    namespace: typeof namespace === 'string' ? namespace : '',
    labels: Object.fromEntries(labels.filter((pair): pair is [string, string] => typeof pair[1] === 'string')),
  }
}
