import { PolicyError } from '../../errors.ts'
import { POLICY } from '../../targets/opa-rego/policy.ts'
import type { KnownCallee } from '../callees.ts'
import type { Atoms } from '../cedar/atoms.ts'
import { IDENTITY } from '../cedar/documents.ts'
import { likePattern } from '../cedar/like.ts'
import type { PolicyText } from '../documents.ts'
import { isRecord } from '../fields.ts'

export interface RegoDocuments {
  /** What OPA loads: modules and data. */
  files: PolicyText[]
  callees: KnownCallee[]
  /** What the policy compares a caller's requests at a callee with; null where that is not known, as with Rego that people write. */
  atomsOf: (callee: string, caller: string | null) => Atoms | null
}

/** @returns null when the set has no Rego @throws PolicyError `bad_policy` */
export function readRego(texts: readonly PolicyText[]): RegoDocuments | null {
  const modules = texts.filter(({ path }) => path.endsWith('.rego') && !path.endsWith('_test.rego'))
  if (modules.length === 0) return null
  const data = texts.filter(({ path }) => /(^|\/)data\.json$/.test(path))
  const [file, other] = data
  if (other) throw new PolicyError('bad_policy', 'is a second data.json; write one', other.path)
  const callees = file ? readCallees(file) : {}
  const generated = modules.every(({ content }) => content === POLICY)
  return {
    files: [...modules, ...data],
    callees: Object.entries(callees).map(([id, value]) => readCallee(id, value)),
    atomsOf: (callee, caller) => (generated ? readAtoms(callees[callee], caller) : null),
  }
}

function readCallees(file: PolicyText): Record<string, unknown> {
  let parsed: unknown
  try {
    parsed = JSON.parse(file.content)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new PolicyError('bad_policy', `is no JSON: ${why}`, file.path)
  }
  const root = isRecord(parsed) ? parsed['cinch'] : undefined
  const callees = isRecord(root) ? root['callees'] : undefined
  return isRecord(callees) ? callees : {}
}

function readCallee(id: string, value: unknown): KnownCallee {
  const { cluster, namespace, selector } = isRecord(value) ? value : {}
  const labels = Object.entries(isRecord(selector) ? selector : {})
  return {
    id,
    cluster: typeof cluster === 'string' ? cluster : '',
    namespace: typeof namespace === 'string' ? namespace : '',
    labels: Object.fromEntries(labels.filter((pair): pair is [string, string] => typeof pair[1] === 'string')),
  }
}

const TAIL = /\/\{\*\*\}$/

function isTemplate(path: string): boolean {
  return path.includes('{*}') || TAIL.test(path)
}

function readAtoms(callee: unknown, caller: string | null): Atoms {
  const { callers } = isRecord(callee) ? callee : {}
  const known = isRecord(callers) ? Object.entries(callers) : []
  const grants = known
    .filter(([id]) => caller === null || id === caller)
    .flatMap(([, list]) => (Array.isArray(list) ? list : []))
  const listOf = (name: string): unknown[] =>
    grants.filter(isRecord).flatMap((grant) => (Array.isArray(grant[name]) ? grant[name] : []))
  const texts = (...names: string[]) => names.flatMap(listOf).filter((item) => typeof item === 'string')
  const claims = readClaims(grants)
  const paths = texts('paths', 'not_paths')
  const templates = paths.filter(isTemplate)
  return {
    paths: new Set(paths.filter((path) => !isTemplate(path))),
    strings: new Set(texts('methods')),
    numbers: new Set(listOf('ports').filter((port) => typeof port === 'number')),
    likes: new Map(templates.map((path) => [path, likePattern(path.replace(TAIL, '/{*}').split('{*}'))])),
    uids: new Map(known.map(([id]) => [id, { type: IDENTITY, id }])),
    user: claims.size > 0,
    claims,
    pathOpen: false,
    otherOpen: false,
  }
}

/** Which values of which claims grants ask for. */
function readClaims(grants: readonly unknown[]): Atoms['claims'] {
  const claims: Atoms['claims'] = new Map()
  for (const grant of grants) {
    const asked = isRecord(grant) ? grant['claims'] : undefined
    for (const [name, values] of Object.entries(isRecord(asked) ? asked : {})) {
      const known = claims.get(name) ?? new Set()
      for (const value of Array.isArray(values) ? values : []) if (typeof value === 'string') known.add(value)
      claims.set(name, known)
    }
  }
  return claims
}
