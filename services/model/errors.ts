/** Every error that a user can meet: its code, and the exit status of the command line that it leads to. */
export const ERRORS = {
  usage: 2,
  store_location: 2,
  unknown_source: 2,
  bad_file: 2,
  bad_time: 2,
  bad_option: 2,
  bad_policy: 2,
  bad_objects: 2,
  bad_sender: 2,
  bad_request: 2,
  not_found: 2,
  step_refused: 2,
  unauthorized: 2,
  too_large: 2,
  overloaded: 3,
  store_busy: 3,
  lease_lost: 3,
  store_unavailable: 3,
  store_ahead: 3,
  migration_changed: 3,
  log_broken: 3,
  engine_missing: 3,
  server_unreachable: 3,
  kafka_refused: 3,
  kafka_unreachable: 3,
} as const
export type ErrorCode = keyof typeof ERRORS

/** An error for people: what is wrong (`message`) and what to do (`next`). `exit` follows from the code. */
export class CinchError extends Error {
  readonly code: ErrorCode
  readonly next: string

  constructor(code: ErrorCode, message: string, next: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CinchError'
    this.code = code
    this.next = next
  }

  get exit(): number {
    return ERRORS[this.code]
  }
}
