import type { Graph } from '../model/graph.ts'
import { toJson } from './command.ts'
import { printable } from './printable.ts'

/** The graph in the formats of other tools. Names come from telemetry: each format's own escaping keeps them text. */
export const FORMATS: Record<string, (graph: Graph) => string> = { json: toJson, dot, mermaid, graphml }

/** Graphviz: https://graphviz.org/doc/info/lang.html, quoted identifiers. */
function dot(graph: Graph): string {
  const quoted = (text: string) => `"${printable(text.replaceAll('\\', '\\\\')).replaceAll('"', '\\"')}"`
  const edges = graph.edges.map(
    (edge) =>
      `  ${quoted(edge.source)} -> ${quoted(edge.destination)} [label=${quoted(String(edge.requests))}${edge.denied > 0 ? ', color=red' : ''}]`,
  )
  return [
    'digraph requests {',
    '  rankdir=LR',
    ...graph.nodes.map((node) => `  ${quoted(node.id)}`),
    ...edges,
    '}',
  ].join('\n')
}

/** Mermaid flowchart: ids of our own, labels in quotes with entity codes. */
function mermaid(graph: Graph): string {
  const ids = new Map(graph.nodes.map((node, index) => [node.id, `n${index}`]))
  const label = (text: string) =>
    `"${text.replace(/[^A-Za-z0-9 ./:_-]/gu, (character) => `#${character.codePointAt(0)};`)}"`
  return [
    'flowchart LR',
    ...graph.nodes.map((node) => `  ${ids.get(node.id)}[${label(node.id)}]`),
    ...graph.edges.map((edge) => `  ${ids.get(edge.source)} -->|${edge.requests}| ${ids.get(edge.destination)}`),
  ].join('\n')
}

/** GraphML 1.0: http://graphml.graphdrawing.org/specification.html */
function graphml(graph: Graph): string {
  // XML 1.0 holds no control characters, and reads a line break in an attribute as a space: names that differ must stay so.
  const escaped = (text: string | number) =>
    printable(String(text))
      .replace(/[\ufffe\uffff]/g, '\ufffd')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
  const data = (key: string, value: string | number) => `<data key="${key}">${escaped(value)}</data>`
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
    '  <key id="kind" for="node" attr.name="kind" attr.type="string"/>',
    '  <key id="requests" for="edge" attr.name="requests" attr.type="long"/>',
    '  <key id="denied" for="edge" attr.name="denied" attr.type="long"/>',
    '  <key id="evidence" for="edge" attr.name="evidence" attr.type="string"/>',
    '  <graph edgedefault="directed">',
    ...graph.nodes.map((node) => `    <node id="${escaped(node.id)}">${data('kind', node.kind)}</node>`),
    ...graph.edges.map(
      (edge) =>
        `    <edge source="${escaped(edge.source)}" target="${escaped(edge.destination)}">${data('requests', edge.requests)}${data('denied', edge.denied)}${data('evidence', edge.evidence)}</edge>`,
    ),
    '  </graph>',
    '</graphml>',
  ].join('\n')
}
