import { isGroup } from '../graph/group.ts'
import { type ApiError, createApi, createSend } from './api.ts'
import { PolicyDraft } from './draft.svelte.ts'
import { Findings } from './findings.svelte.ts'
import { Remote } from './remote.svelte.ts'
import { Scope } from './scope.svelte.ts'
import { Session } from './session.svelte.ts'
import type { Assessment, GraphAnswer, Operation, Source, Window } from './types.ts'

/** Everything that the screens share: where the reader is, who they are, and what the server answered. */
export class Workbench {
  readonly session = new Session()
  readonly scope = new Scope()
  readonly #api = createApi(createSend(() => this.session.token))
  readonly #onError = (error: ApiError) => {
    if (error.status === 401) this.session.refused = true
  }

  readonly graph = new Remote<GraphAnswer>(this.#onError)
  readonly sources = new Remote<{ sources: Source[] }>(this.#onError)
  readonly operations = new Remote<{ operations: Operation[] }>(this.#onError)
  readonly checks = new Remote<Assessment>(this.#onError)
  readonly findings = new Findings(this.#api, this.#onError)
  readonly draft = new PolicyDraft(this.#api, this.#onError)

  // Parts of the place, so that a step to another part asks the server nothing again.
  readonly #since = $derived(this.scope.place.since)
  readonly #until = $derived(this.scope.place.until)
  readonly #view = $derived(this.scope.place.view)
  readonly #expand = $derived(this.scope.place.expand)
  readonly #edge = $derived(this.scope.place.edge)
  readonly window: Window = $derived({ since: this.#since, until: this.#until })
  /** The newest fact of any source: what "now" means for the data. Empty when there is none. */
  readonly asOf: string = $derived.by(() => {
    const times = (this.sources.data?.sources ?? []).map((source) => source.last_seen ?? '')
    return times.sort().at(-1) ?? ''
  })

  loadGraph(): void {
    const window = this.window
    const expand = this.#expand
    void this.graph.load((signal) => this.#api.graph(window, expand, signal))
  }

  loadSources(): void {
    void this.sources.load((signal) => this.#api.sources(signal))
  }

  /** Loads what is shown of the requirements, which costs the server more than a graph: only where they are looked at. */
  loadChecks(): void {
    const window = this.window
    if (this.#view === 'requirements') void this.checks.load((signal) => this.#api.checks(window, signal))
  }

  loadFindings(): void {
    if (this.#view === 'findings') this.findings.load()
  }

  /** Loads the operations of the chosen edge; without one, or at a group, there is nothing to load. */
  loadOperations(): void {
    const edge = this.#edge
    const window = this.window
    this.operations.clear()
    if (edge === undefined || isGroup(edge.source) || isGroup(edge.destination)) return
    void this.operations.load((signal) => this.#api.operations(edge, window, signal))
  }
}
