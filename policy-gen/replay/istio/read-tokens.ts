import { fail, field, optionalList, optionalRecord, type Reader, requiredString } from '../fields.ts'
import type { DocumentHead } from './documents.ts'
import { readSelector } from './read-selector.ts'

/** RequestAuthentication, security.istio.io/v1: whose tokens are verified. */
export interface RequestAuthentication extends DocumentHead {
  selector: Record<string, string> | undefined
  /** It is bound to a gateway, a service or a waypoint instead of workloads. */
  targeted: boolean
  issuers: string[]
}

const RULES_MAX = 4_096
const TARGETS_MAX = 16

export function readRequestAuthentication(
  head: DocumentHead,
  spec: Record<string, unknown>,
  reader: Reader,
): RequestAuthentication {
  optionalRecord(spec, field(reader, 'spec'), ['selector', 'targetRef', 'targetRefs', 'jwtRules'])
  const { selector: labels, targetRef, targetRefs, jwtRules } = spec
  const targets = optionalList(targetRefs, field(reader, 'targetRefs'), TARGETS_MAX) ?? []
  const targeted = targets.length > 0 || targetRef !== undefined
  const selector = readSelector(labels, reader)
  if (targeted && selector) fail(reader, 'has both a selector and targetRefs; only one is taken')
  const rules = optionalList(jwtRules, field(reader, 'jwtRules'), RULES_MAX) ?? []
  const issuers = rules.map((rule, index) => {
    const at = field(reader, `jwtRules[${index}]`)
    const { issuer } = optionalRecord(rule ?? undefined, at) ?? {}
    return requiredString(issuer, field(at, 'issuer'))
  })
  return { ...head, selector, targeted, issuers }
}
