import { PolicyError } from '../errors.ts'
import { cedar } from './cedar/index.ts'
import { envoyRbac } from './envoy-rbac/index.ts'
import { istio } from './istio/index.ts'
import { kubernetes } from './kubernetes/index.ts'
import { opaRego } from './opa-rego/index.ts'
import type { Target } from './target.ts'

/** Every target, in the order in which people see them. */
export const targets: readonly Target[] = [istio, envoyRbac, cedar, kubernetes, opaRego]

/** @throws PolicyError `bad_option`, which names the valid ones */
export function targetById(id: string): Target {
  const target = targets.find((candidate) => candidate.id === id)
  if (target) return target
  const known = targets.map((candidate) => candidate.id).join(', ')
  throw new PolicyError('bad_option', `there is no target ${JSON.stringify(id)}; targets are: ${known}`)
}
