import { isGroup } from '../graph/group.ts'
import { type ApiError, createApi, createSend } from './api.ts'
import { PolicyDraft } from './draft.svelte.ts'
import { Remote } from './remote.svelte.ts'
import { Scope } from './scope.svelte.ts'
import { Session } from './session.svelte.ts'
import type { GraphAnswer, Operation, Source, Window } from './types.ts'

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
  readonly draft = new PolicyDraft(this.#api, this.#onError)

  readonly window: Window = $derived({ since: this.scope.place.since, until: this.scope.place.until })
  /** The newest fact of any source: what "now" means for the data. Empty when there is none. */
  readonly asOf: string = $derived.by(() => {
    const times = (this.sources.data?.sources ?? []).map((source) => source.last_seen ?? '')
    return times.sort().at(-1) ?? ''
  })

  loadGraph(): void {
    const { window, scope } = this
    void this.graph.load((signal) => this.#api.graph(window, scope.place.expand, signal))
  }

  loadSources(): void {
    void this.sources.load((signal) => this.#api.sources(signal))
  }

  /** Loads the operations of the chosen edge; without one, or at a group, there is nothing to load. */
  loadOperations(): void {
    const { edge } = this.scope.place
    const window = this.window
    this.operations.clear()
    if (edge === undefined || isGroup(edge.source) || isGroup(edge.destination)) return
    void this.operations.load((signal) => this.#api.operations(edge, window, signal))
  }
}
