import type { Api, ApiError } from './api.ts'
import { Remote } from './remote.svelte.ts'
import type { Evidence, Granularity, PolicyAnswer, PolicyFile, PolicyRequest, ReplayResult, Window } from './types.ts'

/** A set of policies being considered: how to make it, what was made, and what it would have done. */
export class PolicyDraft {
  granularity = $state<Granularity>('path')
  evidence = $state<Evidence>('joined')
  principal = $state('')
  selector = $state('')
  readonly generated: Remote<PolicyAnswer>
  readonly replayed: Remote<ReplayResult>
  /** The window from which the shown draft was made: the scope bar may have moved on since. */
  madeFrom = $state.raw<Window | undefined>(undefined)
  /** What is downloaded and what is replayed are the same files. */
  readonly files: readonly PolicyFile[] = $derived.by(() =>
    this.generated.data ? withReport(this.generated.data) : [],
  )
  readonly #api: Api

  constructor(api: Api, onError: (error: ApiError) => void) {
    this.#api = api
    this.generated = new Remote(onError)
    this.replayed = new Remote(onError)
  }

  /** Generates and replays at once: a draft without its replay is never shown as finished. */
  async generate(window: Window): Promise<void> {
    this.generated.clear()
    this.replayed.clear()
    const times = filled(window)
    const request: PolicyRequest = {
      target: 'istio',
      granularity: this.granularity,
      evidence: this.evidence,
      ...filled({ principal: this.principal.trim(), selector: this.selector.trim() }),
      ...times,
    }
    const answer = await this.generated.load((signal) => this.#api.policies(request, signal))
    if (answer === undefined) return
    this.madeFrom = window
    await this.replayed.load((signal) => this.#api.replay(withReport(answer), times, signal))
  }
}

/**
 * The files with their report beside them, as the command line writes them: the report says which names were assumed,
 * and replay needs to know.
 */
export function withReport({ files, report }: PolicyAnswer): PolicyFile[] {
  if (files.some((file) => file.path === 'report.json')) return files
  return [...files, { path: 'report.json', content: `${JSON.stringify(report, null, 2)}\n` }]
}

function filled<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== '')) as Partial<T>
}
