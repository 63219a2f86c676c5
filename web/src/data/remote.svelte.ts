import { ApiError } from './api.ts'

/**
 * One answer of the server and what became of asking for it. A newer question aborts the older one; while it is under
 * way, and when it fails, the last good answer stays readable.
 */
export class Remote<T> {
  data = $state.raw<T | undefined>(undefined)
  error = $state.raw<ApiError | undefined>(undefined)
  loading = $state(false)
  #running: AbortController | undefined
  readonly #onError: (error: ApiError) => void

  constructor(onError: (error: ApiError) => void) {
    this.#onError = onError
  }

  /** Returns the answer, or undefined when it failed or a newer question took its place. */
  async load(ask: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    this.#running?.abort()
    const running = new AbortController()
    this.#running = running
    this.loading = true
    try {
      const data = await ask(running.signal)
      if (this.#running !== running) return undefined
      this.data = data
      this.error = undefined
      return data
    } catch (reason) {
      if (this.#running === running) this.#fail(reason)
      return undefined
    } finally {
      if (this.#running === running) this.loading = false
    }
  }

  /** Forgets the answer and the question under way. */
  clear(): void {
    this.#running?.abort()
    this.#running = undefined
    this.data = undefined
    this.error = undefined
    this.loading = false
  }

  #fail(reason: unknown): void {
    const unexpected = () => new ApiError(0, 'unexpected', String(reason), 'Reload the page; if it stays, report it.')
    this.error = reason instanceof ApiError ? reason : unexpected()
    this.#onError(this.error)
  }
}
