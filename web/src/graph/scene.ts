import type { GraphNode } from '../../../services/model/graph.ts'
import type { Bundle } from './bundle.ts'
import { groupName, groupOf } from './group.ts'
import { density, nodeSize } from './label.ts'
import { type Box, layered, linkKey, type Placement, type Point } from './layered.ts'
import { type Frame, type Rectangle, type Route, route } from './route.ts'

/** Where a graph is drawn. Geometry only: counts come from the newest answer, so a refresh cannot show old ones. */
export interface Scene {
  width: number
  height: number
  /** By node id; x and y are the centre. */
  nodes: Map<string, Rectangle>
  frames: Frame[]
  /** By bundle key. */
  lines: Map<string, Route>
}

const SPACING = {
  roomy: { outer: { rowGap: 14, columnGap: 64 }, inner: { rowGap: 10, columnGap: 52 } },
  compact: { outer: { rowGap: 9, columnGap: 52 }, inner: { rowGap: 7, columnGap: 44 } },
}
const FRAME = { side: 16, top: 34, bottom: 14 }

/**
 * Places a graph. Members of an expanded group stand in a frame that takes the group's place, so expanding moves the
 * rest apart and does not shuffle it.
 */
export function scene(nodes: readonly GraphNode[], bundles: readonly Bundle[], expanded: readonly string[]): Scene {
  const open = new Set(expanded)
  const inFrame = (node: GraphNode) => node.kind !== 'group' && open.has(groupOf(node))
  const home = new Map(nodes.map((node) => [node.id, inFrame(node) ? groupOf(node) : node.id]))
  const known = bundles.filter((line) => home.has(line.source) && home.has(line.destination))
  const spacing = SPACING[density(nodes.length)]
  const houses = furnish(nodes, known, home)
  const outer = layered(
    [...houses].map(([id, house]) => ({ id, ...house.size })),
    known.flatMap((line) => link(home.get(line.source), home.get(line.destination))),
    spacing.outer,
  )
  return assemble(nodes, known, home, houses, outer)
}

function link(source: string | undefined, target: string | undefined) {
  return source === undefined || target === undefined || source === target ? [] : [{ source, target }]
}

/** What stands at one place of the outer drawing: a node by itself, or a frame with the members of a group. */
interface House {
  size: { width: number; height: number }
  inside: Placement | undefined
}

function furnish(nodes: readonly GraphNode[], lines: readonly Bundle[], home: Map<string, string>): Map<string, House> {
  const members = new Map<string, Box[]>()
  for (const node of nodes) {
    const id = home.get(node.id) ?? node.id
    members.set(id, [...(members.get(id) ?? []), { id: node.id, ...nodeSize(node, density(nodes.length)) }])
  }
  const houses = new Map<string, House>()
  for (const [id, boxes] of members) {
    const only = boxes[0]
    if (boxes.length === 1 && only?.id === id) {
      houses.set(id, { size: { width: only.width, height: only.height }, inside: undefined })
      continue
    }
    const within = lines.filter((line) => home.get(line.source) === id && home.get(line.destination) === id)
    const links = within.flatMap((line) => link(line.source, line.destination))
    const inside = layered(boxes, links, SPACING[density(nodes.length)].inner)
    const size = { width: inside.width + 2 * FRAME.side, height: inside.height + FRAME.top + FRAME.bottom }
    houses.set(id, { size, inside })
  }
  return houses
}

function assemble(
  nodes: readonly GraphNode[],
  lines: readonly Bundle[],
  home: Map<string, string>,
  houses: Map<string, House>,
  outer: Placement,
): Scene {
  const centre = (id: string): Point => outer.centres.get(id) ?? { x: 0, y: 0 }
  const frames = new Map<string, Frame>()
  for (const [id, { size, inside }] of houses) {
    const { x, y } = centre(id)
    const corner = { x: x - size.width / 2, y: y - size.height / 2 }
    if (inside !== undefined) frames.set(id, { id, name: groupName(id), ...corner, ...size })
  }
  const inFrame = (id: string, point: Point): Point => {
    const frame = frames.get(id) ?? { x: 0, y: 0 }
    return { x: frame.x + FRAME.side + point.x, y: frame.y + FRAME.top + point.y }
  }
  const placed = new Map<string, Rectangle>()
  for (const node of nodes) {
    const id = home.get(node.id) ?? node.id
    const within = houses.get(id)?.inside?.centres.get(node.id)
    const at = within === undefined ? centre(id) : inFrame(id, within)
    placed.set(node.id, { ...at, ...nodeSize(node, density(nodes.length)) })
  }
  const drawn = new Map<string, Route>()
  for (const line of lines) {
    const [source, target] = [placed.get(line.source), placed.get(line.destination)]
    if (source === undefined || target === undefined) continue
    const [from = '', to = ''] = [home.get(line.source), home.get(line.destination)]
    const inner = (houses.get(from)?.inside?.routes.get(line.key) ?? []).map((point) => inFrame(from, point))
    const bends = from === to ? inner : (outer.routes.get(linkKey(from, to)) ?? [])
    const walls = from === to ? {} : { out: frames.get(from), into: frames.get(to) }
    drawn.set(line.key, route(source, target, bends, walls))
  }
  return { width: outer.width, height: outer.height, nodes: placed, frames: [...frames.values()], lines: drawn }
}
