import {
  fail,
  field,
  optionalList,
  optionalRecord,
  type Reader,
  requiredString,
  stringMap,
  strings,
} from '../fields.ts'
import type { KnownLabels } from '../selection.ts'
import { every, fromBoolean, not, type Tri } from '../tri.ts'

/** A Kubernetes LabelSelector, compiled; an empty one selects everything. */
export type LabelSelector = (known: KnownLabels) => Tri

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const

/** @throws PolicyError `bad_policy` where the API server would refuse it */
export function readLabelSelector(value: unknown, reader: Reader): LabelSelector {
  const { matchLabels, matchExpressions } = optionalRecord(value, reader, ['matchLabels', 'matchExpressions']) ?? {}
  const labels = Object.entries(stringMap(matchLabels, field(reader, 'matchLabels')))
  const at = field(reader, 'matchExpressions')
  const expressions = (optionalList(matchExpressions, at, Number.POSITIVE_INFINITY) ?? []).map((item, index) =>
    readExpression(item, field(at, `[${index}]`)),
  )
  const tests = [...labels.map(([key, text]) => oneOf(key, [text])), ...expressions]
  return (known) => every(tests, (test) => test(known))
}

function readExpression(value: unknown, reader: Reader): LabelSelector {
  const record = optionalRecord(value ?? undefined, reader, ['key', 'operator', 'values']) ?? {}
  const { key: name, operator, values: list } = record
  const key = requiredString(name, field(reader, 'key'))
  const known = OPERATORS.find((candidate) => candidate === operator)
  if (!known) fail(field(reader, 'operator'), `is unknown; valid: ${OPERATORS.join(', ')}`)
  // An empty value is a value that labels have.
  const values = Array.isArray(list) && list.includes('') ? list.map(String) : strings(list, field(reader, 'values'))
  const lists = known === 'In' || known === 'NotIn'
  if (lists !== values.length > 0)
    fail(field(reader, 'values'), `${lists ? 'must not' : 'must'} be empty with ${known}`)
  if (known === 'In') return oneOf(key, values)
  if (known === 'NotIn') return (labels) => not(oneOf(key, values)(labels))
  return known === 'Exists' ? exists(key) : (labels) => not(exists(key)(labels))
}

function oneOf(key: string, values: readonly string[]): LabelSelector {
  return (known) => {
    const own = labelOf(key, known)
    return own === undefined && !known.complete ? 'unknown' : fromBoolean(own !== undefined && values.includes(own))
  }
}

function exists(key: string): LabelSelector {
  return (known) => {
    const own = labelOf(key, known)
    return own === undefined && !known.complete ? 'unknown' : fromBoolean(own !== undefined)
  }
}

function labelOf(key: string, { labels }: KnownLabels): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined
}
