import type { OperationTemplate, TemplateForm, TemplatePart } from '../../model/template.ts'
import { Distinct } from './distinct.ts'
import { type Form, pathText } from './form.ts'
import { istioLimit } from './istio.ts'
import type { SeenPath } from './rows.ts'
import { hashOf } from './sample.ts'

/** Counts what a form covers. */
export class Coverage {
  readonly #form: Form
  readonly #values: Distinct[] = []
  readonly #callers = new Set<string>()
  #paths = 0
  #requests = 0
  #once = 0
  #equals = false
  #firstSeen = ''

  constructor(form: Form) {
    this.#form = form
  }

  add({ requests, callers, firstSeen = '' }: SeenPath, values: readonly string[]): void {
    if (firstSeen !== '' && (this.#firstSeen === '' || firstSeen < this.#firstSeen)) this.#firstSeen = firstSeen
    this.#paths += 1
    this.#requests += requests
    if (requests === 1) this.#once += 1
    for (const caller of callers) this.#callers.add(caller)
    for (const [at, value] of values.entries()) {
      const distinct = this.#values[at] ?? new Distinct()
      this.#values[at] = distinct
      distinct.add(hashOf(value))
      this.#equals ||= value.includes('=')
    }
  }

  /** Of its first version; what it has become of an earlier one, `changesOf` says. */
  template(): OperationTemplate {
    const form = templateForm(this.#form)
    const open = this.#values.length > 0
    const product = this.#values.reduce((all, values) => all * values.count, 1)
    const combinations = Math.min(product, Number.MAX_SAFE_INTEGER)
    return {
      ...form,
      path: pathText(form.segments, (kind) => kind),
      paths: this.#paths,
      requests: this.#requests,
      callers: [...this.#callers].sort(),
      firstSeen: this.#firstSeen,
      widening: {
        combinations: open ? Math.max(0, combinations - this.#paths) : 0,
        unseen: open && this.#requests > 0 ? this.#once / this.#requests : 0,
        open,
      },
      istio: istioLimit(form.segments, this.#equals, form.operation),
      version: 1,
      since: 1,
    }
  }
}

/** A form as it is stored. */
export function templateForm({ id, method, segments }: Form): TemplateForm {
  const [verb = '', ...operation] = method.split(' ')
  return { id, method: verb, operation: operation.join(' '), segments: segments.map((parts) => parts.map(partOf)) }
}

function partOf(part: Form['segments'][number][number]): TemplatePart {
  if ('literal' in part) return { literal: part.literal }
  return part.divisible ? { kind: part.kind, divisible: true } : { kind: part.kind }
}
