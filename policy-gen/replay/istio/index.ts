import { type Format, layerOf } from '../layer.ts'
import { policiesByCallee } from './callee.ts'
import { deployedRules } from './deployed.ts'
import { isIstio, readIstio } from './documents.ts'
import { evaluate } from './evaluate.ts'

/** Istio's AuthorizationPolicy and PeerAuthentication, at the callee's sidecar. */
export const istio: Format = {
  id: 'istio',
  read(set, { index, selectorRule }) {
    const mine = set.take(isIstio)
    if (mine.length === 0) return null
    const documents = readIstio(mine)
    const policiesOf = policiesByCallee(documents, index, selectorRule)
    const { ignored } = documents
    return { layer: layerOf((operation, request) => evaluate(request, policiesOf(operation.destination))), ignored }
  },
  deployed(set, context) {
    const mine = set.take(isIstio)
    return mine.length === 0 ? null : deployedRules(readIstio(mine), context)
  },
}
