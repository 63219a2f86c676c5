import { type CalleesOf, calleesOf } from '../callees.ts'
import { type Asked, atCallees, type Format, type Layer, type Verdict } from '../layer.ts'
import { readCallees } from './callees.ts'
import { deployedRules } from './deployed.ts'
import { readCedar } from './documents.ts'
import { decide, prepare } from './evaluate.ts'
import { type SliceOf, slicesOf } from './slices.ts'

/**
 * Cedar policies at an enforcement point that asks with the entities and the context of `schema.cedarschema` (see the
 * target's README). The engine is Cedar itself; what it is asked is decided here.
 */
export const cedar: Format = {
  id: 'cedar',
  read(set, context) {
    const documents = readCedar(set.texts)
    if (!documents) return null
    const layer = layerOf(calleesOf(readCallees(documents.entities), context), slicesOf(documents))
    return { layer: atCallees(layer), ignored: documents.ignored }
  },
  deployed(set, context) {
    const documents = readCedar(set.texts)
    return documents && deployedRules(documents, calleesOf(readCallees(documents.entities), context))
  },
}

// Parsing is dear: what one caller asks of one callee is decided together.
function layerOf(callees: CalleesOf, sliceOf: SliceOf): Layer {
  return (asked) => {
    const verdicts: Verdict[] = []
    const groups = Map.groupBy(asked.keys(), (at) => groupKey(asked[at], callees))
    for (const indices of groups.values()) {
      const [first] = indices.flatMap((at) => asked[at] ?? [])
      if (!first) continue
      const ids = callees(first.operation.destination)
      const slice = sliceOf(callerOf(first), ids)
      prepare(slice)
      for (const at of indices) {
        const one = asked[at]
        if (one) verdicts[at] = decide(slice, ids, one.request)
      }
    }
    return verdicts
  }
}

function callerOf({ request: { caller } }: Asked): string | null {
  return caller.is === 'unknown' ? null : caller.is === 'known' ? caller.principal : ''
}

function groupKey(one: Asked | undefined, callees: CalleesOf): string {
  return one ? JSON.stringify([callerOf(one), callees(one.operation.destination)]) : ''
}
