import { PolicyError } from '../../errors.ts'
import { isOwnPolicy } from '../../targets/opa-rego/policy.ts'
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
  /** Whether the policy is the one that the target writes, so that all it grants is data. */
  generated: boolean
  /** What the modules look at that telemetry does not tell; by their text, so that a name in a comment is one, too. */
  untold: string | null
  /** What the data grants a caller at a callee. */
  grants: [callee: string, caller: string, grant: Record<string, unknown>][]
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
  const generated = modules.every(({ content }) => isOwnPolicy(content))
  return {
    files: [...modules, ...data],
    callees: Object.entries(callees).map(([id, value]) => readCallee(id, value)),
    generated,
    untold: generated ? null : untoldIn(modules),
    grants: Object.entries(callees).flatMap(([id, value]) =>
      callersOf(value).flatMap(([caller, list]) =>
        list.map((grant): RegoDocuments['grants'][number] => [id, caller, grant]),
      ),
    ),
    atomsOf: (callee, caller) => (generated ? readAtoms(callees[callee], caller) : null),
  }
}

function untoldIn(modules: readonly PolicyText[]): string | null {
  const looksAt = (pattern: RegExp) => modules.some(({ content }) => pattern.test(content))
  if (looksAt(/headers/i)) return "the request's headers"
  if (looksAt(/metadata_?context/i)) return "the end user's token, or other metadata"
  return looksAt(/parsed_(query|body)|raw_body/) ? "the request's query or body" : null
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

export function isTemplate(path: string): boolean {
  return path.includes('{*}') || TAIL.test(path)
}

function callersOf(callee: unknown): [caller: string, grants: Record<string, unknown>[]][] {
  const { callers } = isRecord(callee) ? callee : {}
  return Object.entries(isRecord(callers) ? callers : {}).map(([caller, list]) => [
    caller,
    Array.isArray(list) ? list.filter(isRecord) : [],
  ])
}

function readAtoms(callee: unknown, caller: string | null): Atoms {
  const known = callersOf(callee)
  const grants = known.filter(([id]) => caller === null || id === caller).flatMap(([, list]) => list)
  const listOf = (name: string): unknown[] => grants.flatMap((grant) => (Array.isArray(grant[name]) ? grant[name] : []))
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
function readClaims(grants: readonly Record<string, unknown>[]): Atoms['claims'] {
  const claims: Atoms['claims'] = new Map()
  for (const { claims: asked } of grants) {
    for (const [name, values] of Object.entries(isRecord(asked) ? asked : {})) {
      const known = claims.get(name) ?? new Set()
      for (const value of Array.isArray(values) ? values : []) if (typeof value === 'string') known.add(value)
      claims.set(name, known)
    }
  }
  return claims
}
