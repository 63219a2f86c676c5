import type { GraphNode } from '../../model/graph.ts'

/** A screen never gets more; beyond, groups stand for their members. */
export const NODES_MAX = 150
export const EDGES_MAX = 300

/** A node with the group that can stand for it, and how much it takes part: requests and refusals to and from it. */
export interface UsedNode extends GraphNode {
  group: string
  use: number
}

/** Where nodes stand on a screen. */
export interface Places<Node extends UsedNode> {
  /** What is shown: nodes, and groups that stand for others. */
  nodes: GraphNode[]
  /** Nodes that stand for themselves, shown or not. */
  open: Node[]
}

/**
 * Places nodes on a screen of at most `limit`. Where they do not fit, groups stand for them, but for the groups in `expanded`. A group
 * that is too large to be opened whole shows its most used members, and goes on standing for the others. What still is too much is left
 * out from the least used end.
 */
export function placeNodes<Node extends UsedNode>(
  nodes: readonly Node[],
  limit: number,
  expanded: ReadonlySet<string>,
): Places<Node> {
  const nodesMax = Math.max(1, Math.min(limit, NODES_MAX))
  if (nodes.length <= nodesMax && expanded.size === 0) return { nodes: nodes.map(plain), open: [...nodes] }
  const groups = Map.groupBy(nodes, ({ group }) => group)
  const asked = openNodes(groups, expanded, nodesMax)
  const placed: { id: string; node: GraphNode; use: number }[] = []
  const open: Node[] = []
  for (const [group, members] of groups) {
    const folded = members.filter((node) => !asked.has(node))
    // A group of one would only hide a name.
    const stay = folded.length === 1 ? members : members.filter((node) => asked.has(node))
    open.push(...stay)
    placed.push(...stay.map((node) => ({ id: node.id, node: plain(node), use: node.use })))
    if (folded.length > 1) placed.push({ id: group, node: groupNode(group, folded), use: sum(folded) })
  }
  return { nodes: mostUsed(placed, nodesMax).map(({ node }) => node), open }
}

const sum = (nodes: readonly UsedNode[]) => nodes.reduce((use, node) => use + node.use, 0)

/** At a tie the id decides, so that the same graph is always the same screen. */
function mostUsed<T extends { id: string; use: number }>(entries: readonly T[], max: number): T[] {
  if (entries.length <= max) return [...entries]
  return [...entries].sort((a, b) => b.use - a.use || (a.id < b.id ? -1 : 1)).slice(0, max)
}

/** Members of opened groups, in the order in which these were asked for, while they fit. */
function openNodes<Node extends UsedNode>(
  groups: ReadonlyMap<string, Node[]>,
  expanded: ReadonlySet<string>,
  nodesMax: number,
): Set<Node> {
  // One group for all: folded, nothing would be left to see.
  const asked = groups.size === 1 ? [...groups.keys()] : [...expanded]
  let room = nodesMax - groups.size
  const open = new Set<Node>()
  for (const group of asked) {
    const all = groups.get(group) ?? []
    // The group's own place is free once none of its members needs it.
    const fitting = all.length <= room + 1 ? all : mostUsed(all, Math.max(0, room))
    for (const node of fitting) open.add(node)
    room -= fitting.length === all.length ? Math.max(0, all.length - 1) : fitting.length
  }
  return open
}

function plain({ id, kind, name, namespace, workload, cluster, principal }: UsedNode): GraphNode {
  return { id, kind, name, namespace, workload, cluster, principal }
}

/** What all members have in common stays; a group of a namespace keeps its name. */
function groupNode(id: string, members: readonly UsedNode[]): GraphNode {
  const common = (told: (node: UsedNode) => string) => {
    const values = new Set(members.map(told))
    return values.size === 1 ? ([...values][0] ?? '') : ''
  }
  const key = id.slice('group:'.length)
  const namespace = common((node) => node.namespace)
  const cluster = common((node) => node.cluster)
  const name = key === `${cluster}/${namespace}` ? namespace || '(no namespace)' : key || '(not told)'
  return { id, kind: 'group', name, namespace, workload: '', cluster, principal: '', members: members.length }
}
