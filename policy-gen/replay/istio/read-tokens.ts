import { fail, field, optionalList, optionalRecord, type Reader, requiredString } from '../fields.ts'
import type { DocumentHead } from './documents.ts'
import { readSelector } from './read-selector.ts'
import { type PolicyTarget, readTargets } from './read-targets.ts'

/** RequestAuthentication, security.istio.io/v1: whose tokens are verified. */
export interface RequestAuthentication extends DocumentHead {
  selector: Record<string, string> | undefined
  /** What it is bound to instead of workloads; empty for none. */
  targets: PolicyTarget[]
  issuers: string[]
}

const RULES_MAX = 4_096

export function readRequestAuthentication(
  head: DocumentHead,
  spec: Record<string, unknown>,
  reader: Reader,
): RequestAuthentication {
  optionalRecord(spec, field(reader, 'spec'), ['selector', 'targetRef', 'targetRefs', 'jwtRules'])
  const { selector: labels, jwtRules } = spec
  const targets = readTargets(spec, reader)
  const selector = readSelector(labels, reader)
  if (targets.length > 0 && selector) fail(reader, 'has both a selector and targetRefs; only one is taken')
  const rules = optionalList(jwtRules, field(reader, 'jwtRules'), RULES_MAX) ?? []
  const issuers = rules.map((rule, index) => {
    const at = field(reader, `jwtRules[${index}]`)
    const { issuer } = optionalRecord(rule ?? undefined, at) ?? {}
    return requiredString(issuer, field(at, 'issuer'))
  })
  return { ...head, selector, targets, issuers }
}
