import type { FindingState } from '../../../services/model/finding.ts'
import type { Api, ApiError } from './api.ts'
import { Remote } from './remote.svelte.ts'
import type { Finding, FindingActRequest, FindingListing, FindingStory } from './types.ts'

/** Findings in one state, the one that is read, and what is said of it. */
export class Findings {
  /** A change of it loads the listing anew. */
  state = $state.raw<FindingState>('open')
  readonly listing: Remote<FindingListing>
  readonly story: Remote<FindingStory>
  readonly acting: Remote<Finding>
  readonly #api: Api

  constructor(api: Api, onError: (error: ApiError) => void) {
    this.#api = api
    this.listing = new Remote(onError)
    this.story = new Remote(onError)
    this.acting = new Remote(onError)
  }

  load(): void {
    const { state } = this
    void this.listing.load((signal) => this.#api.findings(state, signal))
  }

  openStory(id: string | undefined): void {
    this.acting.clear()
    if (id === undefined) this.story.clear()
    else void this.story.load((signal) => this.#api.finding(id, signal))
  }

  /** @returns whether it is said */
  async act(id: string, request: FindingActRequest): Promise<boolean> {
    const said = await this.acting.load((signal) => this.#api.actOnFinding(id, request, signal))
    if (said) this.load()
    return said !== undefined
  }
}
