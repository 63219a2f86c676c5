import type { TemplatePart, ValueKind } from '../../model/template.ts'
import type { Lexicon, Row } from './rows.ts'
import { JOINED_PARAMETER, PARAMETER, skeleton, TAIL } from './skeleton.ts'
import { kindOf } from './tokens.ts'
import type { Sequence } from './tree.ts'

/** A part of a form; `divisible` parameters have values that are several tokens (`7:cancel`). */
export type FormPart = { literal: string } | { kind: ValueKind; divisible: boolean }

/** A template before it is counted. */
export interface Form {
  id: string
  method: string
  segments: FormPart[][]
  rows: Row[]
}

/** Texts that separate a fixed beginning from a value: `report-17`, `user:alice`. */
const FIXED_BEGINNING = /^[A-Za-z]{3,}[-_.:~@]/
/** So many different values must begin alike before what they begin with is taken for a name. */
const ALIKE_MIN = 3

/** Sequences as forms, ordered by id. Those that say the same (a parameter of two parts is one parameter) are one form. */
export function formsOf(sequences: readonly Sequence[], lexicon: Lexicon): Form[] {
  const alike = Map.groupBy(sequences, ({ method, tokens }) => `${method} ${skeleton(tokens, lexicon)}`)
  const forms = [...alike.values()].map((group): Form => {
    const segments = segmentsOf(group, lexicon)
    const method = lexicon.text(group[0]?.method ?? 0).slice(1)
    return { id: formId(method, segments), method, segments, rows: group.flatMap(({ rows }) => rows) }
  })
  return forms.sort((a, b) => (a.id < b.id ? -1 : 1))
}

const formId = (method: string, segments: readonly FormPart[][]) => `${method} ${pathText(segments, () => '')}`

/** A path of segments, with what `nameOf` calls a parameter in its braces. */
export function pathText(segments: readonly TemplatePart[][], nameOf: (kind: ValueKind) => string): string {
  const text = (part: TemplatePart) => {
    if ('literal' in part) return part.literal
    return part.kind === '**' ? '{**}' : `{${nameOf(part.kind)}}`
  }
  return segments.map((parts) => `/${parts.map(text).join('')}`).join('')
}

const isParameter = (token: number) => token === PARAMETER || token === JOINED_PARAMETER

function segmentsOf(group: readonly Sequence[], lexicon: Lexicon): FormPart[][] {
  const values = parameterValues(group, lexicon)
  const segments: FormPart[][] = []
  let parameter = 0
  let before = -1
  for (const token of group[0]?.tokens ?? []) {
    if (token === TAIL) {
      segments.push([{ kind: '**', divisible: true }])
      continue
    }
    const starts = token === PARAMETER || (!isParameter(token) && !lexicon.isJoined(token))
    if (starts) segments.push([])
    const parts = segments.at(-1)
    if (!isParameter(token)) parts?.push({ literal: lexicon.text(token).slice(1) })
    else if (starts || !isParameter(before)) parts?.push(...parameterParts(values[parameter++]))
    before = token
  }
  return segments.map(joinLiterals)
}

interface Values {
  texts: Set<string>
  divisible: boolean
}

/** The values of each parameter, in the order of the parameters. */
function parameterValues(group: readonly Sequence[], lexicon: Lexicon): Values[] {
  const found: Values[] = []
  for (const { tokens, rows } of group) {
    const runs = runsOf(tokens)
    for (const [at, run] of runs.entries()) {
      const values = found[at] ?? { texts: new Set<string>(), divisible: false }
      found[at] = values
      values.divisible ||= run.length > 1
      for (const row of rows)
        values.texts.add(run.map((index) => lexicon.text(row.tokens[index] ?? 0).slice(1)).join(''))
    }
  }
  return found
}

/** Positions of parameters; those that make up one value together. */
function runsOf(tokens: readonly number[]): number[][] {
  const runs: number[][] = []
  for (const [at, token] of tokens.entries()) {
    if (!isParameter(token)) continue
    if (token === JOINED_PARAMETER && isParameter(tokens[at - 1] ?? -1)) runs.at(-1)?.push(at)
    else runs.push([at])
  }
  return runs
}

function parameterParts(values: Values | undefined): FormPart[] {
  const texts = [...(values?.texts ?? [])]
  const divisible = values?.divisible ?? false
  const kind = commonKind(texts)
  const beginning = FIXED_BEGINNING.exec(texts[0] ?? '')?.[0]
  const fixed =
    kind === 'value' &&
    texts.length >= ALIKE_MIN &&
    beginning !== undefined &&
    texts.every((text) => text.startsWith(beginning) && text.length > beginning.length)
  if (!fixed) return [{ kind, divisible }]
  return [{ literal: beginning }, { kind: commonKind(texts.map((text) => text.slice(beginning.length))), divisible }]
}

function commonKind(texts: readonly string[]): ValueKind {
  const kinds = new Set(texts.map((text) => kindOf(text) ?? 'value'))
  const [kind = 'value'] = kinds
  return kinds.size === 1 ? kind : 'value'
}

function joinLiterals(parts: readonly FormPart[]): FormPart[] {
  const joined: FormPart[] = []
  for (const part of parts) {
    const last = joined.at(-1)
    if (last && 'literal' in last && 'literal' in part)
      joined[joined.length - 1] = { literal: last.literal + part.literal }
    else joined.push(part)
  }
  return joined
}
