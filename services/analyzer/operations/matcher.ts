import type { TemplateForm } from '../../model/template.ts'
import type { Form, FormPart } from './form.ts'
import { methodOf, type SeenPath } from './rows.ts'
import { isOfKind, plainSegments, tokensOf } from './tokens.ts'

/** Which form a path has, and the values of its parameters. */
export interface Match {
  form: Form
  values: string[]
}

interface Node {
  names: Map<string, Node>
  patterns: { parts: readonly FormPart[]; form: RegExp | undefined; node: Node }[]
  end: Form | undefined
  /** The form of all that follows, where nothing else says it. */
  tail: Form | undefined
}

const emptyNode = (): Node => ({ names: new Map(), patterns: [], end: undefined, tail: undefined })

/** A tree of forms by method and segment. Names come before parameters, parameters with fixed parts before those without, a tail last. */
export class Matcher {
  readonly #methods = new Map<string, Node>()

  constructor(forms: Iterable<Form>) {
    for (const form of forms) this.#add(form)
    for (const root of this.#methods.values()) sortPatterns(root)
  }

  #add(form: Form): void {
    let node = this.#methods.get(form.method) ?? emptyNode()
    this.#methods.set(form.method, node)
    for (const parts of form.segments) {
      if (parts.some((part) => 'kind' in part && part.kind === '**')) {
        node.tail = form
        return
      }
      node = childOf(node, parts)
    }
    node.end = form
  }

  /** The form of a path; undefined for what none says, and for what teaches nothing. */
  match(seen: Pick<SeenPath, 'method' | 'operation' | 'path'>): Match | undefined {
    const root = this.#methods.get(methodOf(seen))
    const segments = root && plainSegments(seen.path)
    if (!segments) return undefined
    const values: string[] = []
    // Every node of the tree is reached in one way only, so a path that leads nowhere costs no more than the tree's size.
    const visit = (node: Node, at: number): Form | undefined => {
      const segment = segments[at]
      if (segment === undefined) return node.end
      const name = node.names.get(segment)
      const byName = name && visit(name, at + 1)
      if (byName) return byName
      for (const pattern of node.patterns) {
        const kept = values.length
        if (!admits(pattern, segment, values)) continue
        const found = visit(pattern.node, at + 1)
        if (found) return found
        values.length = kept
      }
      if (node.tail && segment !== '') values.push(segments.slice(at).join('/'))
      return segment === '' ? undefined : node.tail
    }
    const form = visit(root, 0)
    return form && { form, values }
  }
}

/** What is stored, to be matched again. */
export function formOf({ id, method, operation, segments }: TemplateForm): Form {
  return {
    id,
    method: methodOf({ method, operation }),
    rows: [],
    segments: segments.map((parts) =>
      parts.map((part) => ('literal' in part ? part : { kind: part.kind, divisible: part.divisible === true })),
    ),
  }
}

function childOf(node: Node, parts: readonly FormPart[]): Node {
  const [only] = parts
  if (parts.length === 1 && only && 'literal' in only) {
    const known = node.names.get(only.literal) ?? emptyNode()
    node.names.set(only.literal, known)
    return known
  }
  const key = JSON.stringify(parts)
  const known = node.patterns.find((pattern) => JSON.stringify(pattern.parts) === key)
  if (known) return known.node
  const form = parts.length === 1 ? undefined : new RegExp(`^${parts.map(source).join('')}$`, 's')
  const child = emptyNode()
  node.patterns.push({ parts, form, node: child })
  return child
}

const source = (part: FormPart) => ('literal' in part ? part.literal.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : '([^;]+)')

/** More fixed text first, then kinds before any value. */
function sortPatterns(node: Node): void {
  const fixed = (parts: readonly FormPart[]) =>
    parts.reduce((n, part) => n + ('literal' in part ? part.literal.length * 2 : part.kind === 'value' ? 0 : 1), 0)
  node.patterns.sort(
    (a, b) => fixed(b.parts) - fixed(a.parts) || (JSON.stringify(a.parts) < JSON.stringify(b.parts) ? -1 : 1),
  )
  for (const child of [...node.names.values(), ...node.patterns.map((pattern) => pattern.node)]) sortPatterns(child)
}

function admits({ parts, form }: Node['patterns'][number], segment: string, values: string[]): boolean {
  const found = form ? form.exec(segment)?.slice(1) : [segment]
  if (!found) return false
  let at = 0
  for (const part of parts) {
    if ('literal' in part) continue
    const value = found[at++] ?? ''
    if (value === '' || !isOfKind(part.kind, value)) return false
    // `7:cancel` is no value of a parameter that only had values such as `7`: it may be another operation.
    if (part.kind === 'value' && !part.divisible && /[.:;(]/.test(value) && tokensOf(`/${value}`)?.length !== 1)
      return false
  }
  values.push(...found)
  return true
}
