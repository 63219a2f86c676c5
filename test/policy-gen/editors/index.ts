import { cedar } from './cedar.ts'
import type { Editor } from './editor.ts'
import { envoyRbac } from './envoy-rbac.ts'
import { istio } from './istio.ts'

/** One for every target: how its files are damaged, or why they cannot be. */
export const EDITORS: Record<string, Editor | { cannot: string }> = {
  cedar,
  'envoy-rbac': envoyRbac,
  istio,
  'opa-rego': { cannot: 'its rules are the data of one policy: `engines/opa.test.ts` decides by OPA itself' },
  kubernetes: { cannot: 'the damages are to methods and paths, which it does not have' },
}
