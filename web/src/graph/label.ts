import type { GraphNode } from '../../../services/model/graph.ts'

const CHARACTERS_MAX = { roomy: 30, compact: 16 }
const CHARACTER_WIDTH = { roomy: 7.9, compact: 8.6 }
const SMALL_WIDTH = 6.6
const ICON_AND_PADDING = { roomy: 41, compact: 36 }

/** Above this many nodes a node is one line of text. */
const ROOMY_MAX = 60

export type Density = 'roomy' | 'compact'

export function density(nodes: number): Density {
  return nodes > ROOMY_MAX ? 'compact' : 'roomy'
}

/** What a node is called in the drawing: a group by its namespace. */
export function title(node: GraphNode): string {
  return node.name || node.workload || node.namespace || node.id
}

/** The second line: where it is, or how much it stands for. */
export function subtitle(node: GraphNode): string {
  if (node.kind === 'group') return `${node.members ?? 0} identities · ${node.cluster || 'group'}`
  return node.namespace || KIND_NAMES[node.kind]
}

export const KIND_NAMES: Record<GraphNode['kind'], string> = {
  workload: 'workload',
  service: 'service',
  external: 'outside the mesh',
  address: 'address only',
  group: 'namespace',
}

/** Text cut in its middle, since names differ at both ends; the full name is shown on focus and in the table. */
export function shorten(text: string, dense: Density = 'roomy'): string {
  const most = CHARACTERS_MAX[dense]
  const characters = [...text]
  if (characters.length <= most) return text
  const head = Math.ceil((most - 1) / 2)
  return `${characters.slice(0, head).join('')}…${characters.slice(characters.length - (most - 1 - head)).join('')}`
}

/** Size from the number of characters, not from the font: the same graph gets the same places on every machine. */
export function nodeSize(node: GraphNode, dense: Density): { width: number; height: number } {
  const first = [...shorten(title(node), dense)].length * CHARACTER_WIDTH[dense]
  const second = dense === 'compact' ? 0 : [...shorten(subtitle(node))].length * SMALL_WIDTH
  const width = Math.round(Math.max(dense === 'compact' ? 64 : 84, ICON_AND_PADDING[dense] + Math.max(first, second)))
  return { width, height: dense === 'compact' ? 26 : 38 }
}
