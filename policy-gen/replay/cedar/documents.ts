import { PolicyError } from '../../errors.ts'
import type { IgnoredDocument, PolicyText } from '../documents.ts'
import { isRecord } from '../fields.ts'
import { cedarEngine, type EntityJson, messagesOf, type PolicyJson, type TypeAndId } from './engine.ts'

/** One policy of a file, as text for the engine and as Cedar's own JSON of it. */
export interface CedarPolicy {
  id: string
  text: string
  json: PolicyJson
}

export interface CedarDocuments {
  policies: CedarPolicy[]
  entities: EntityJson[]
  ignored: IgnoredDocument[]
}

/**
 * Policies that the engine validates at once. What it holds for them it never gives back, and V8 collects all its garbage each
 * time WebAssembly's memory grows: of 8,000 policies at once, that took longer than Cedar itself.
 */
const VALIDATED_MAX = 100

export const IDENTITY = 'Cinch::Identity'
export const CALLEE = 'Cinch::Callee'
export const REQUEST: TypeAndId = { type: 'Cinch::Action', id: 'request' }

/**
 * Reads every `.cedar`, `.cedarschema` and `entities.json` file of a set. With a schema, policies and entities must be
 * valid against it: Cedar skips a policy that fails when it is evaluated, so a misspelt attribute would deny silently.
 *
 * @returns null when the set has no Cedar policies
 * @throws PolicyError `bad_policy`
 */
export function readCedar(texts: readonly PolicyText[]): CedarDocuments | null {
  const files = texts.filter(({ path }) => path.endsWith('.cedar'))
  if (files.length === 0) return null
  const ignored: IgnoredDocument[] = []
  const policies = files.flatMap((file) => readPolicies(file, ignored))
  const entityFiles = texts.filter(({ path }) => /(^|\/)entities\.json$/.test(path))
  const entities = entityFiles.flatMap(readEntities)
  const schemas = texts.filter(({ path }) => path.endsWith('.cedarschema'))
  const [schema, other] = schemas
  if (other) throw new PolicyError('bad_policy', 'is a second schema; write one', other.path)
  if (schema) validate(schema, policies, entities, entityFiles[0]?.path ?? schema.path)
  return { policies, entities, ignored }
}

function readPolicies(file: PolicyText, ignored: IgnoredDocument[]): CedarPolicy[] {
  const parts = cedarEngine().policySetTextToParts(file.content)
  if (parts.type === 'failure')
    throw new PolicyError('bad_policy', `is no Cedar: ${messagesOf(parts.errors)}`, file.path)
  for (const _ of parts.policy_templates) {
    ignored.push({
      file: file.path,
      kind: 'Cedar template',
      name: '',
      reason: 'a template holds only where it is linked',
    })
  }
  return parts.policies.map((text, at): CedarPolicy => {
    const parsed = cedarEngine().policyToJson(text)
    if (parsed.type === 'failure') {
      throw new PolicyError('bad_policy', `is no Cedar: ${messagesOf(parsed.errors)}`, file.path)
    }
    return { id: `${file.path}#${at}`, text, json: parsed.json }
  })
}

function readEntities(file: PolicyText): EntityJson[] {
  const parsed = parseJson(file)
  if (!Array.isArray(parsed)) throw new PolicyError('bad_policy', 'is no list of entities', file.path)
  const entities = parsed.filter(isRecord) as unknown as EntityJson[]
  const checked = cedarEngine().checkParseEntities({ entities })
  if (checked.type === 'failure' || entities.length < parsed.length) {
    const why = checked.type === 'failure' ? messagesOf(checked.errors) : 'an entity is no object'
    throw new PolicyError('bad_policy', `has entities that Cedar does not take: ${why}`, file.path)
  }
  return entities
}

function parseJson(file: PolicyText): unknown {
  try {
    return JSON.parse(file.content)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new PolicyError('bad_policy', `is no JSON: ${why}`, file.path)
  }
}

function validate(file: PolicyText, policies: CedarPolicy[], entities: EntityJson[], entityFile: string): void {
  const schema = file.content
  const parsed = cedarEngine().checkParseSchema(schema)
  if (parsed.type === 'failure') {
    throw new PolicyError('bad_policy', `is no Cedar schema: ${messagesOf(parsed.errors)}`, file.path)
  }
  for (let start = 0; start < policies.length; start += VALIDATED_MAX)
    validatePolicies(file, policies.slice(start, start + VALIDATED_MAX))
  const known = cedarEngine().checkParseEntities({ entities, schema })
  if (known.type === 'failure') {
    throw new PolicyError('bad_policy', `is not valid against ${file.path}: ${messagesOf(known.errors)}`, entityFile)
  }
}

function validatePolicies(schema: PolicyText, policies: CedarPolicy[]): void {
  const answer = cedarEngine().validate({ policies: { staticPolicies: byId(policies) }, schema: schema.content })
  if (answer.type === 'failure') throw new PolicyError('bad_policy', messagesOf(answer.errors), schema.path)
  const [wrong] = answer.validationErrors
  if (wrong) {
    const where = wrong.policyId.replace(/#\d+$/, '')
    throw new PolicyError('bad_policy', `is not valid against ${schema.path}: ${messagesOf([wrong.error])}`, where)
  }
}

export function byId(policies: readonly CedarPolicy[]): Record<string, string> {
  return Object.fromEntries(policies.map(({ id, text }) => [id, text]))
}
