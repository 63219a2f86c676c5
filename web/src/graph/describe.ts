import type { GraphNode } from '../../../services/model/graph.ts'
import { count, plural } from '../ui/format.ts'
import type { Bundle } from './bundle.ts'
import { type Density, KIND_NAMES, shorten, subtitle, title } from './label.ts'

/**
 * A node in a sentence: what a screen reader says, and what the tooltip shows. It begins with the text that is drawn, so
 * that speech control finds it (WCAG 2.5.3), and gives the full name where that text is cut.
 */
export function nodeSentence(node: GraphNode, lines: readonly Bundle[], dense: Density): string {
  const callers = lines.filter((line) => line.destination === node.id).length
  const callees = lines.filter((line) => line.source === node.id).length
  const drawn = `${shorten(title(node), dense)} ${shorten(subtitle(node), dense)}`
  const full = drawn.includes('…') ? `, in full ${title(node)} ${subtitle(node)}` : ''
  const who = node.principal === '' ? '' : `, ${node.principal}`
  return `${drawn}${full}, ${KIND_NAMES[node.kind]}${who}. Called by ${count(callers)}, calls ${count(callees)}.`
}

/** A line in a sentence. */
export function lineSentence(line: Bundle, name: (id: string) => string): string {
  const refused = line.denied === 0 ? '' : `, ${count(line.denied)} denied`
  const ports = line.edges.length === 1 ? '' : `, ${line.edges.length} ports or protocols`
  return `${name(line.source)} calls ${name(line.destination)}: ${plural(line.requests, 'request')}${refused}, identity ${line.evidence}${ports}.`
}
