import { CinchError } from '../services/model/errors.ts'

const NEXT = {
  bad_option: 'Correct the option; `cinch help policies` lists what each takes.',
  bad_policy: 'Correct the file, or generate the policies again with `cinch policies generate`.',
} as const

/** An error of input that a person can mend. `file` names the policy file, where it is about one. */
export class PolicyError extends CinchError {
  readonly file: string

  constructor(code: keyof typeof NEXT, message: string, file = '') {
    super(code, file ? `${file}: ${message}` : message, NEXT[code])
    this.name = 'PolicyError'
    this.file = file
  }
}
