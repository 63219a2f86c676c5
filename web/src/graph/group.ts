import type { GraphNode } from '../../../services/model/graph.ts'

/** The group that a node belongs to, as the server names it. */
export function groupOf(node: GraphNode): string {
  return `group:${node.cluster}/${node.namespace}`
}

/** True for the id of a node that stands for a whole namespace. */
export function isGroup(id: string): boolean {
  return id.startsWith('group:')
}

/** The namespace in a group's id. */
export function groupName(id: string): string {
  return id.slice(id.indexOf('/') + 1)
}
