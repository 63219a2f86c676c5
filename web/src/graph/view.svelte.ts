import type { GraphEdge, GraphNode } from '../../../services/model/graph.ts'
import type { GraphAnswer } from '../data/types.ts'
import { type Bundle, bundles } from './bundle.ts'
import { createSceneCache } from './cache.ts'
import { groupName, isGroup } from './group.ts'
import { title } from './label.ts'

const place = createSceneCache()

/** What the drawing and the table beside it have in common: the same facts, the same filter, the same chosen node. */
export class GraphState {
  readonly #answer: () => GraphAnswer | undefined
  readonly #expanded: () => readonly string[]
  filter = $state('')
  deniedOnly = $state(false)
  /** The node whose connections are listed. */
  chosen = $state<string | undefined>(undefined)
  /** The node under the pointer or with the focus. */
  pointed = $state<string | undefined>(undefined)

  constructor(answer: () => GraphAnswer | undefined, expanded: () => readonly string[]) {
    this.#answer = answer
    this.#expanded = expanded
  }

  readonly nodes: readonly GraphNode[] = $derived.by(() => this.#answer()?.nodes ?? [])
  readonly byId: ReadonlyMap<string, GraphNode> = $derived(new Map(this.nodes.map((node) => [node.id, node])))
  /** The chosen node, if the newest answer still has it. */
  readonly chosenNode: GraphNode | undefined = $derived(
    this.chosen === undefined ? undefined : this.byId.get(this.chosen),
  )
  readonly bundles: readonly Bundle[] = $derived.by(() => bundles(this.#answer()?.edges ?? []))
  readonly scene = $derived.by(() => place(this.nodes, this.bundles, this.#expanded()))
  /** Edges that pass the filter: the table's rows. */
  readonly edges: readonly GraphEdge[] = $derived.by(() =>
    (this.#answer()?.edges ?? []).filter((edge) => this.#passes(edge)),
  )
  readonly #passing = $derived(new Set(this.edges.map((edge) => `${edge.source}\n${edge.destination}`)))

  name(id: string): string {
    const node = this.byId.get(id)
    if (node !== undefined) return title(node)
    return isGroup(id) ? groupName(id) : id
  }

  /** The name with its namespace, where one name is not enough. */
  fullName(id: string): string {
    const node = this.byId.get(id)
    const qualified = node !== undefined && node.kind !== 'group' && node.namespace !== ''
    return qualified ? `${node.namespace}/${title(node)}` : this.name(id)
  }

  /** True when a line is drawn in full strength: it passes the filter and touches the pointed node, if any. */
  stands(bundle: Bundle): boolean {
    const at = this.pointed
    const near = at === undefined || bundle.source === at || bundle.destination === at
    return near && this.#passing.has(`${bundle.source}\n${bundle.destination}`)
  }

  /** Nodes at the lines that stand out; all of them when nothing is filtered. */
  readonly lit: ReadonlySet<string> | undefined = $derived.by(() => {
    if (this.pointed === undefined && this.filter === '' && !this.deniedOnly && this.chosenNode === undefined)
      return undefined
    const ids = new Set(this.bundles.filter((b) => this.stands(b)).flatMap((b) => [b.source, b.destination]))
    if (this.pointed !== undefined) ids.add(this.pointed)
    return ids
  })

  #passes(edge: GraphEdge): boolean {
    if (this.deniedOnly && edge.denied === 0) return false
    const at = this.chosenNode?.id
    if (at !== undefined && edge.source !== at && edge.destination !== at) return false
    const words = this.filter.toLowerCase().trim()
    return words === '' || `${this.#text(edge.source)} ${this.#text(edge.destination)}`.includes(words)
  }

  #text(id: string): string {
    const node = this.byId.get(id)
    return `${id} ${node?.name ?? ''} ${node?.namespace ?? ''} ${node?.principal ?? ''}`.toLowerCase()
  }
}
