import { envoyRbac } from './envoy-rbac/index.ts'
import { istio } from './istio/index.ts'
import type { Format } from './layer.ts'

/** Every format that replay evaluates, from the network inwards. */
export const formats: readonly Format[] = [istio, envoyRbac]
