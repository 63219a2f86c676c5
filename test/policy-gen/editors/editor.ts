import type { PolicyFile } from '../../../policy-gen/targets/target.ts'

/** A rule of a rendered file in plain lists, to be changed in place: each principal may do each entry's combinations. */
export interface EditableRule {
  /** `namespace/workload`, as the operations' destinations are called. */
  callee: string
  principals: string[]
  /** Paths are exact, or templates with `{*}`. */
  entries: { ports: string[]; methods: string[]; paths: string[] }[]
}

/** Opens the rendered files of one target; it knows the target's language, and neither its renderer nor replay. */
export interface Editor {
  /** Whether a file allows something. */
  allows: (file: PolicyFile) => boolean
  /** `namespace/label` of a rule's callee, where another file says which pods it is. */
  calleeOf?: (callee: string, files: readonly PolicyFile[]) => string
  /** Whether a file refuses what others may allow: it would hide a damage that lets in. */
  guards?: (file: PolicyFile) => boolean
  /** The rules of a file, and its text once they were changed. */
  open: (file: PolicyFile) => { rules: EditableRule[]; save: () => string }
}
