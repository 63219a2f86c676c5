import { atomsOf } from './atoms.ts'
import { CALLEE, type CedarDocuments, type CedarPolicy, IDENTITY } from './documents.ts'
import type { EntityJson } from './engine.ts'
import type { Slice } from './evaluate.ts'

/**
 * The policies that can have a say for a caller (null: any) at callees. Cedar's scopes say it: one that names another
 * principal or another resource never matches, whatever else it holds.
 */
export type SliceOf = (caller: string | null, callees: readonly string[]) => Slice

export function slicesOf({ policies, entities }: CedarDocuments): SliceOf {
  const byCallee = Map.groupBy(policies, (policy) => named(policy, 'resource', CALLEE))
  // Everything but the callees' own entities, which are many: a policy may ask for any of it.
  const common = entities.filter((entity) => uidOf(entity).type !== CALLEE)
  const calleeEntities = new Map(entities.map((entity) => [keyOf(uidOf(entity)), entity]))
  return (caller, callees) => {
    const here = [null, ...callees].flatMap((callee) => byCallee.get(callee) ?? [])
    const own = here.filter((policy) => {
      const principal = named(policy, 'principal', IDENTITY)
      return caller === null || principal === null || principal === caller
    })
    const atoms = atomsOf(own)
    const wanted = [...callees.map((id) => ({ type: CALLEE, id })), ...atoms.uids.values()]
    return { policies: own, atoms, entities: [...common, ...closure(wanted, calleeEntities)] }
  }
}

/** The one entity of a type that a scope names, null when it may be several. */
function named({ json }: CedarPolicy, part: 'principal' | 'resource', type: string): string | null {
  const scope = json[part]
  if (scope.op !== '==' || !('entity' in scope)) return null
  const uid = '__entity' in scope.entity ? scope.entity.__entity : scope.entity
  return uid.type === type ? uid.id : `another type: ${uid.type}`
}

function closure(wanted: { type: string; id: string }[], entities: ReadonlyMap<string, EntityJson>): EntityJson[] {
  const found = new Map<string, EntityJson>()
  for (let uid = wanted.pop(); uid; uid = wanted.pop()) {
    const key = keyOf(uid)
    const entity = entities.get(key)
    if (!entity || found.has(key)) continue
    found.set(key, entity)
    for (const parent of entity.parents) wanted.push('__entity' in parent ? parent.__entity : parent)
  }
  return [...found.values()].filter((entity) => uidOf(entity).type === CALLEE)
}

export function uidOf({ uid }: EntityJson): { type: string; id: string } {
  return '__entity' in uid ? uid.__entity : uid
}

function keyOf({ type, id }: { type: string; id: string }): string {
  return JSON.stringify([type, id])
}
