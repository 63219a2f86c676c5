/** Codes of what a user can do wrong here; the message says what to do. */
export type PolicyErrorCode =
  | 'bad_option'
  | 'bad_naming_rule'
  | 'bad_yaml'
  | 'bad_policy'
  | 'bad_report'
  | 'unknown_target'

/** An error of input that a person can mend. `file` names the policy file, where it is about one. */
export class PolicyError extends Error {
  readonly code: PolicyErrorCode
  readonly file: string

  constructor(code: PolicyErrorCode, message: string, file = '') {
    super(file ? `${file}: ${message}` : message)
    this.name = 'PolicyError'
    this.code = code
    this.file = file
  }
}
