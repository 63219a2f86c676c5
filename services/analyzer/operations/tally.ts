import type { OperationTemplate } from '../../model/template.ts'
import { Coverage } from './coverage.ts'
import type { Form } from './form.ts'
import { Matcher } from './matcher.ts'
import type { SeenPath } from './rows.ts'

/** What has no template: `rare` for too few requests, `full` for no place left, `untaught` for what teaches nothing. */
export type Folded = Record<'rare' | 'full' | 'untaught', { paths: number; requests: number }>

/** Templates, and what is none for want of a place or of requests: it is known, too, so that no template swallows its paths. */
export interface Forms {
  forms: Form[]
  full: Form[]
  rare: Form[]
  /** Of `full` and `rare` those that some of `forms` would swallow. */
  apart: Form[]
}

/** Holds paths against forms, and counts which has which. */
export class Tally {
  readonly matcher: Matcher
  readonly folded: Folded = { rare: nothing(), full: nothing(), untaught: nothing() }
  /** The paths of `folded.rare`. */
  readonly rare: SeenPath[] = []
  readonly #full: ReadonlySet<Form>
  readonly #covered: Map<Form, Coverage>

  constructor({ forms, full, rare }: Omit<Forms, 'apart'>) {
    this.matcher = new Matcher([...forms, ...full, ...rare])
    this.#full = new Set(full)
    this.#covered = new Map(forms.map((form) => [form, new Coverage(form)]))
  }

  isTemplate(form: Form | undefined): boolean {
    return form !== undefined && this.#covered.has(form)
  }

  add(path: SeenPath, teaches: boolean): void {
    const match = teaches ? this.matcher.match(path) : undefined
    const covered = match && this.#covered.get(match.form)
    if (match && covered) {
      covered.add(path, match.values)
      return
    }
    const why = !teaches ? 'untaught' : match && this.#full.has(match.form) ? 'full' : 'rare'
    if (why === 'rare') this.rare.push(path)
    const folded = this.folded[why]
    folded.paths += 1
    folded.requests += path.requests
  }

  templates(): OperationTemplate[] {
    return [...this.#covered.values()].map((coverage) => coverage.template())
  }
}

const nothing = () => ({ paths: 0, requests: 0 })
