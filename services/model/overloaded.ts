import { CinchError } from './errors.ts'

/** What a sender has run into: its own quota, the memory for what waits, the store, the disk of the spool, or the pages that follow. */
export type Bottleneck = 'quota' | 'memory' | 'store' | 'disk' | 'listeners'

/** Telemetry that cannot be taken now; the same bytes sent again after `retryAfterMs` are welcome, and count once. */
export class OverloadedError extends CinchError {
  readonly bottleneck: Bottleneck
  readonly retryAfterMs: number

  constructor(bottleneck: Bottleneck, message: string, retryAfterMs: number, options?: ErrorOptions) {
    super('overloaded', message, `send it again in ${Math.ceil(retryAfterMs / 1000)} s`, options)
    this.bottleneck = bottleneck
    this.retryAfterMs = retryAfterMs
  }
}
