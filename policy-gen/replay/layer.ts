import type { ObservedOperation } from '../../services/model/operation.ts'
import type { InventoryIndex } from '../inventory-index.ts'
import type { NamingRule } from '../naming.ts'
import type { DeployedRules } from './deployed.ts'
import type { IgnoredDocument, PolicySet, PolicyText } from './documents.ts'
import { isExternal } from './external.ts'
import type { ReplayRequest } from './request.ts'
import { all, type Tri } from './tri.ts'

/** What policies would say, and why: the rule that decided, or what is missing. */
export interface Verdict {
  allowed: Tri
  reason: string
}

/** An observed operation, and its requests as an enforcement point would see them. */
export interface Asked {
  operation: ObservedOperation
  request: ReplayRequest
}

/**
 * What one kind of enforcement point makes of observed operations: a verdict for each, in their order. Layers are asked
 * about many at once, because engines are: a process or a parsed policy set serves them all.
 */
export type Layer = (asked: readonly Asked[]) => Verdict[]

/** The layer that decides each operation by itself. */
export function layerOf(decide: (operation: ObservedOperation, request: ReplayRequest) => Verdict): Layer {
  return (asked) => asked.map(({ operation, request }) => decide(operation, request))
}

/** The layer of enforcement points that stand at callees: outside of the mesh stands none of ours. */
export function atCallees(layer: Layer): Layer {
  return (asked) => {
    const verdicts = layer(asked.filter(({ operation }) => !isExternal(operation.destination)))
    let at = 0
    return asked.map(({ operation }) => (isExternal(operation.destination) ? undefined : verdicts[at++]) ?? OUTSIDE)
  }
}

const OUTSIDE: Verdict = { allowed: 'yes', reason: 'no enforcement point stands before the callee: it is outside' }

/** What the formats know besides the files. */
export interface LayerContext {
  index: InventoryIndex
  /** Labels of callees that no inventory knows. */
  selectorRule: NamingRule | null
  /** Namespaces that are said to be in ambient mode, beside those that the set declares so; `*` is all. */
  ambient: readonly string[]
  /** Evaluates Rego; null where there is no OPA. */
  rego: RegoEngine | null
}

/**
 * OPA: which of the inputs `data.envoy.authz.allow` allows, with these modules and data, in the inputs' order.
 *
 * @throws Error with what OPA says of modules that it does not take
 */
export type RegoEngine = (files: readonly PolicyText[], inputs: readonly unknown[]) => boolean[]

/**
 * A language of policies that replay evaluates: one folder here, and one line in `formats.ts`. It takes the documents
 * and files that are its own out of the set, and follows the real semantics of what enforces them.
 */
export interface Format {
  id: string
  /**
   * The layer that its documents make, null when the set has none of them.
   *
   * @throws PolicyError `bad_policy`, with the file and what to do
   */
  read: (set: PolicySet, context: LayerContext) => { layer: Layer; ignored: IgnoredDocument[] } | null
  /** The rules that its documents allow by, for a format whose rules can be told apart; null when the set has none. */
  deployed?: (set: PolicySet, context: LayerContext) => DeployedRules | null
}

/**
 * A request is served when every layer that it crosses serves it. The reason is that of the first layer that refuses,
 * else of the first that cannot tell, else of the first.
 */
export function throughAll(layers: readonly Layer[]): Layer {
  return (asked) => {
    const answers = layers.map((layer) => layer(asked))
    return asked.map((_, at) => {
      const verdicts = answers.flatMap((answer) => answer[at] ?? [])
      const allowed = all(...verdicts.map((verdict) => verdict.allowed))
      return verdicts.find((verdict) => verdict.allowed === allowed) ?? NO_POLICY
    })
  }
}

const NO_POLICY: Verdict = { allowed: 'yes', reason: 'there is no policy' }
