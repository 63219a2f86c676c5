/** Why a batch of messages, or one of them, cannot be telemetry: the reason of the reject. */
export type MessageReason =
  | 'unknown_codec'
  | 'malformed_batch'
  | 'batch_too_large'
  | 'null_message'
  | 'message_too_large'

/** A record batch whose records cannot be read. It will never be otherwise: it is rejected, and the partition goes on. */
export class UndecodableError extends Error {
  readonly reason: MessageReason

  constructor(reason: MessageReason, options?: ErrorOptions) {
    super(reason, options)
    this.name = 'UndecodableError'
    this.reason = reason
  }
}
