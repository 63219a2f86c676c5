/** What a parameter's values look like; `value` where they have no common form. */
export type ValueKind =
  | 'int'
  | 'uuid'
  | 'hex'
  | 'date'
  | 'number'
  | 'email'
  | 'encoded'
  | 'base64'
  | 'token'
  | 'key'
  | 'value'
  /** All that follows, of whatever depth: files, a proxied prefix. */
  | '**'

/** A part of a segment: a name, or a parameter that stands for values of a kind; `divisible`: for such as `7:cancel`, too. */
export type TemplatePart = { literal: string } | { kind: ValueKind; divisible?: boolean }

/** Which requests are of an operation. */
export interface TemplateForm {
  id: string
  method: string
  /** The operation that requests name beside their path (GraphQL, JSON-RPC); else empty. */
  operation: string
  /** By segment; one with several parts mixes names and parameters. */
  segments: TemplatePart[][]
}

/** What a template lets in beyond the paths that it was learned from. Each of its parameters also lets in any value that nobody sent yet. */
export interface Widening {
  /** Paths that only combine values which were all seen, and that were not seen themselves. 0 for a template without parameters. */
  combinations: number
  /** Share of the next requests that are expected on paths nobody has seen yet (Good-Turing: paths seen once, by requests). */
  unseen: number
  /** Whether it admits values that were not seen. */
  open: boolean
}

/** One operation of a callee, as its paths tell. */
export interface OperationTemplate extends TemplateForm {
  /** Method, named operation if any, and path with `{}` for parameters: `GET /users/{}`. The same as long as its form is. */
  id: string
  /** Parameters carry their kind: `/users/{int}`, `/files/report-{int}.pdf`. */
  path: string
  /** Distinct paths that it covers, and their requests. */
  paths: number
  requests: number
  /** Who made them. */
  callers: string[]
  /** When the first of its requests was seen: ISO 8601, UTC; empty when not known. */
  firstSeen: string
  widening: Widening
  /** Why Istio's path template cannot say just this; empty when it can. */
  istio: string
  /** Raised when its parameters' kinds or fixed parts change; `since` is the version of the callee's templates that it came with. */
  version: number
  since: number
}

/** A person's word on one position of the tree, which outlasts all traffic. */
export interface Pin {
  /** `merge`: all values at `/regions/{}` are one parameter. `split`: `/users/me` is a name of its own. */
  kind: 'merge' | 'split'
  /** The path up to the position, parameters before it as `{}`. */
  at: string
  /** Only for this method; all when left out. */
  method?: string
}

/** What became of a template between two versions. */
export interface TemplateChange {
  change: 'new' | 'changed' | 'gone'
  id: string
  /** The other ones that covered its paths before; of one that is gone, those that cover them now. */
  from: string[]
}

/** A pin of a callee, with who said so and why; `none` lifts what was said of the position before. */
export interface PinWord {
  callee: string
  kind: Pin['kind'] | 'none'
  at: string
  /** Empty for all methods. */
  method: string
  who: string
  why: string
}

/** What is known of all templates of one callee. */
export interface TemplateSet {
  callee: string
  /** Raised when a template comes, changes or goes. */
  version: number
  /** Requests of the callee, refused ones among them, when it was learned. */
  usage: number
  /** The pins that held then. */
  pins: string
  /** The version of the learner. */
  learner: number
  templates: number
  /** Distinct paths that it was learned from, and those beyond the most that are looked at. */
  paths: number
  left_out_paths: number
  /** What has no template: too few requests, no place left, nothing to be learned from. Their paths stay as they are. */
  rare_paths: number
  rare_requests: number
  full_paths: number
  full_requests: number
  untaught_paths: number
  untaught_requests: number
  /** When it was learned: milliseconds since 1970. */
  written: number
}
