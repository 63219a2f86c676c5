import { declaredIn, isDeclaration } from '../declared.ts'
import { type Format, layerOf } from '../layer.ts'
import { atAmbient } from './ambient.ts'
import { policiesByCallee } from './callee.ts'
import { deployedRules } from './deployed.ts'
import { isIstio, readIstio } from './documents.ts'
import { evaluate } from './evaluate.ts'

/** Istio's AuthorizationPolicy, PeerAuthentication and RequestAuthentication, at the callee's sidecar, or at its waypoint and ztunnel. */
export const istio: Format = {
  id: 'istio',
  read(set, context) {
    const mine = set.take(isIstio)
    if (mine.length === 0) return null
    const documents = readIstio(mine)
    const policiesOf = policiesByCallee(documents, context.index, context.selectorRule)
    const ambient = atAmbient(documents, declaredIn(set.take(isDeclaration)), context)
    const layer = layerOf((operation, request) =>
      ambient.isAmbient(operation)
        ? ambient.decide(operation, request)
        : evaluate(request, policiesOf(operation.destination)),
    )
    return { layer, ignored: documents.ignored }
  },
  deployed(set, context) {
    const mine = set.take(isIstio)
    return mine.length === 0 ? null : deployedRules(readIstio(mine), context)
  },
}
