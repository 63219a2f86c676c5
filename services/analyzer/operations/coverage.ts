import type { OperationTemplate, TemplatePart } from '../../model/template.ts'
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

  constructor(form: Form) {
    this.#form = form
  }

  add({ requests, callers }: SeenPath, values: readonly string[]): void {
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
    const { id, method, segments } = this.#form
    const open = this.#values.length > 0
    const combinations = this.#values.reduce((product, values) => product * values.count, 1)
    const [verb = '', ...operation] = method.split(' ')
    const parts = segments.map((segment) => segment.map(partOf))
    return {
      id,
      method: verb,
      operation: operation.join(' '),
      path: pathText(parts, (kind) => kind),
      segments: parts,
      paths: this.#paths,
      requests: this.#requests,
      callers: [...this.#callers].sort(),
      widening: {
        combinations: open ? Math.max(0, combinations - this.#paths) : 0,
        unseen: open && this.#requests > 0 ? this.#once / this.#requests : 0,
        open,
      },
      istio: istioLimit(parts, this.#equals),
      version: 1,
      since: 1,
    }
  }
}

function partOf(part: Form['segments'][number][number]): TemplatePart {
  return 'literal' in part ? { literal: part.literal } : { kind: part.kind }
}
