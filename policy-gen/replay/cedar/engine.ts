import { createRequire } from 'node:module'
import type * as Cedar from '@cedar-policy/cedar-wasm/nodejs'

export type { CedarValueJson, EntityJson, PolicyJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs'

let loaded: typeof Cedar | undefined

/** Cedar itself, compiled to WebAssembly: loaded when the first Cedar policy is read, since it takes some 60 ms. */
export function cedarEngine(): typeof Cedar {
  loaded ??= createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs') as typeof Cedar
  return loaded
}

/** What went wrong, as Cedar says it, on one line. */
export function messagesOf(errors: readonly Cedar.DetailedError[]): string {
  return errors.map(({ message }) => message.replaceAll('\n', ' ')).join('; ')
}
