import type { DeployedRule } from '../../../services/model/diff.ts'
import { PolicyError } from '../../errors.ts'
import type { CalleesOf } from '../callees.ts'
import { type DeployedRules, type Described, openOf, RULES_MAX } from '../deployed.ts'
import { isExternal } from '../external.ts'
import { isRecord } from '../fields.ts'
import { type Part, partsOf } from './apart.ts'
import { CALLEE, type CedarDocuments, type CedarPolicy, IDENTITY } from './documents.ts'
import { cedarEngine, messagesOf, type PolicyJson } from './engine.ts'
import { permitting, prepare, type Slice } from './evaluate.ts'
import { slicesOf } from './slices.ts'

/**
 * Takes the policies that permit apart: every method and path alone, each a policy of its own that Cedar itself evaluates. What a
 * policy asks beside them stays with each part.
 *
 * @throws PolicyError `bad_policy` where the lists multiply beyond all reading
 */
export function deployedRules(documents: CedarDocuments, callees: CalleesOf): DeployedRules {
  const unread = documents.ignored.map(({ file, kind, reason }) => ({ file, rule: kind, reason }))
  const described = new Map<string, Described>()
  const policies: CedarPolicy[] = []
  for (const policy of documents.policies) {
    const file = policy.id.replace(/#\d+$/, '')
    const rule = nameOf(policy)
    if (policy.json.effect === 'forbid') {
      unread.push({ file, rule, reason: 'a policy that forbids does not allow' })
      continue
    }
    for (const [at, part] of partsOf(policy.json).entries()) {
      const id = `${policy.id}.${at}`
      described.set(id, describe(policy.json, part, { file, rule }))
      policies.push({ id, json: part.json, text: textOf(part.json, file) })
      if (policies.length <= RULES_MAX) continue
      throw new PolicyError('bad_policy', `allows more than ${RULES_MAX} combinations; split its lists`, file)
    }
  }
  const sliceOf = slicesOf({ ...documents, policies })
  let prepared: { key: string; slice: Slice } | undefined
  return {
    rules: [...described.values()].map(({ deployed }) => deployed),
    says: ['source', 'method', 'path'],
    isOpen: openOf([...described.values()]),
    unread,
    usedBy: ({ destination }, request) => {
      if (isExternal(destination)) return []
      const { caller } = request
      const who = caller.is === 'unknown' ? null : caller.is === 'known' ? caller.principal : ''
      const ids = callees(destination)
      const key = JSON.stringify([who, ids])
      if (prepared?.key !== key) {
        prepared = { key, slice: sliceOf(who, ids) }
        prepare(prepared.slice)
      }
      return permitting(prepared.slice, ids, request).flatMap((id) => described.get(id)?.deployed ?? [])
    },
  }
}

function nameOf({ id, json }: CedarPolicy): string {
  return JSON.stringify(json.annotations?.['id'] ?? id)
}

function textOf(json: PolicyJson, file: string): string {
  const answer = cedarEngine().policyToText(json)
  if (answer.type === 'failure') throw new PolicyError('bad_policy', messagesOf(answer.errors), file)
  return answer.text
}

function describe(
  { principal, resource }: PolicyJson,
  { port, method, path, pathOpen, conditions }: Part,
  about: Pick<DeployedRule, 'file' | 'rule'>,
): Described {
  const who = scopeText(principal, IDENTITY)
  const source = who ?? ''
  const open = [
    ...(principal.op === '==' ? [] : ['source' as const]),
    ...(method === '' ? ['method' as const] : []),
    ...(pathOpen ? ['path' as const] : []),
  ]
  const scope = scopeText(resource, CALLEE) ?? '(any callee)'
  return { deployed: { ...about, scope, source, port, method, path, conditions }, open }
}

/** Whom a scope names: an id, or what it asks instead; null for everybody. */
function scopeText(scope: PolicyJson['principal'] | PolicyJson['resource'], type: string): string | null {
  if (scope.op === 'All') return null
  if (scope.op === '==' && 'entity' in scope) {
    const uid = '__entity' in scope.entity ? scope.entity.__entity : scope.entity
    if (isRecord(uid) && uid.type === type) return uid.id
  }
  return JSON.stringify(scope)
}
