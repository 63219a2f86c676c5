import { cedar } from './cedar/index.ts'
import { envoyRbac } from './envoy-rbac/index.ts'
import { istio } from './istio/index.ts'
import { istioEgress } from './istio-egress/index.ts'
import { kubernetes } from './kubernetes/index.ts'
import type { Format } from './layer.ts'
import { opaRego } from './opa-rego/index.ts'

/** Files that hold policies; others beside them are data, tests and reports. */
export const POLICY_FILE = /\.(ya?ml|cedar|rego)$/

/** Every format that replay evaluates, from the network inwards. */
export const formats: readonly Format[] = [kubernetes, istio, istioEgress, envoyRbac, cedar, opaRego]
