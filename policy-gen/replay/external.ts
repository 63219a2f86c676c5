import type { Party } from '../../services/model/operation.ts'

/** True outside of the mesh, in the graph's word for it (`services/model/identity.ts`): no proxy of ours stands there. */
export function isExternal({ id }: Party): boolean {
  return id.startsWith('external:')
}
