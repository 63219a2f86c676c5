import { PolicyError } from './errors.ts'

/** What a naming rule may refer to. Empty strings are "not known". */
export interface NamingFacts {
  cluster: string
  namespace: string
  workload: string
  serviceAccount: string
}

const PLACEHOLDERS = ['cluster', 'namespace', 'workload', 'serviceAccount'] as const
type Placeholder = (typeof PLACEHOLDERS)[number]

/** The value that a rule gives, or which fact it lacks. */
export type Named = { ok: true; value: string } | { ok: false; missing: Placeholder }
export type NamingRule = (facts: NamingFacts) => Named

/**
 * Reads a naming rule such as `cluster.local/ns/{namespace}/sa/{workload}`.
 * @param option the option's name, for the message
 * @throws PolicyError `bad_option` for an unknown placeholder, a stray brace or an empty rule
 */
export function namingRule(rule: string, option: string): NamingRule {
  const parts = rule.split(/\{([^{}]*)\}/)
  if (rule.trim() === '') throw new PolicyError('bad_option', `${option} is empty; ${valid()}`)
  const pieces = parts.map((text, index) => (index % 2 === 0 ? literal(text, option) : placeholder(text, option)))
  return (facts) => {
    let value = ''
    for (const piece of pieces) {
      if (piece.placeholder === undefined) value += piece.text
      else if (facts[piece.placeholder] === '') return { ok: false, missing: piece.placeholder }
      else value += facts[piece.placeholder]
    }
    return { ok: true, value }
  }
}

/**
 * Reads a selector that a naming rule gave (`app=web,tier=front`) into labels.
 * @returns null when a key or a value is no Kubernetes label
 */
export function readLabels(text: string): Record<string, string> | null {
  const labels: Record<string, string> = {}
  for (const pair of text.split(',')) {
    const at = pair.indexOf('=')
    const key = pair.slice(0, at).trim()
    const value = pair.slice(at + 1).trim()
    if (at < 1 || !isLabel(key, value)) return null
    labels[key] = value
  }
  return labels
}

/** True for a key and a value that Kubernetes takes as a label (its "Labels and selectors" syntax). */
export function isLabel(key: string, value: string): boolean {
  const [name = '', prefix] = key.split('/').reverse()
  const nameOk = name.length <= 63 && LABEL_PART.test(name)
  const prefixOk = prefix === undefined || (prefix.length <= 253 && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(prefix))
  return (
    nameOk && prefixOk && key.split('/').length <= 2 && value.length <= 63 && (value === '' || LABEL_PART.test(value))
  )
}

/** True for a SPIFFE identity as Istio writes it: no scheme, no wildcard, no empty segment (SPIFFE-ID, section 2). */
export function isPrincipal(value: string): boolean {
  return value.length <= 2048 && /^[a-z0-9._-]+(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)+$/.test(value)
}

const LABEL_PART = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/

function literal(text: string, option: string): { text: string; placeholder?: undefined } {
  if (/[{}]/.test(text)) throw new PolicyError('bad_option', `${option} has a brace without its pair; ${valid()}`)
  return { text }
}

function placeholder(name: string, option: string): { placeholder: Placeholder } {
  const found = PLACEHOLDERS.find((candidate) => candidate === name)
  if (!found) throw new PolicyError('bad_option', `${option} has the unknown placeholder {${name}}; ${valid()}`)
  return { placeholder: found }
}

function valid(): string {
  return `use ${PLACEHOLDERS.map((name) => `{${name}}`).join(', ')}`
}
