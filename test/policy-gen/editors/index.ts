import type { Editor } from './editor.ts'
import { envoyRbac } from './envoy-rbac.ts'
import { istio } from './istio.ts'

/** One for every target: how its files are damaged, or why they cannot be. */
export const EDITORS: Record<string, Editor | { cannot: string }> = { istio, 'envoy-rbac': envoyRbac }
