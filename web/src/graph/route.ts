import type { Point } from './layered.ts'

/** A node as drawn: x and y are its centre. */
export interface Rectangle {
  x: number
  y: number
  width: number
  height: number
}

/** An expanded group, the box around its members: x and y are its top left corner. */
export interface Frame extends Rectangle {
  id: string
  name: string
}

/** A line from border to border; a loop bulges to the right of both its ends. */
export interface Route {
  points: Point[]
  loop: boolean
}

export interface Walls {
  out?: Frame | undefined
  into?: Frame | undefined
}

/**
 * Points from the border of one node to that of another by way of the bends; through the wall of a frame at the height
 * of the node, so that lines do not bunch at the frame's middle.
 */
export function route(source: Rectangle, target: Rectangle, bends: readonly Point[], walls: Walls): Route {
  const direction = Math.sign(target.x - source.x)
  if (direction === 0) return aside(source, target)
  const border = (node: Rectangle, side: number): Point => ({ x: node.x + (side * node.width) / 2, y: node.y })
  const wall = (frame: Frame | undefined, side: number, y: number): Point[] =>
    frame === undefined ? [] : [{ x: frame.x + (side > 0 ? frame.width : 0), y }]
  const points = [
    border(source, direction),
    ...wall(walls.out, direction, source.y),
    ...bends,
    ...wall(walls.into, -direction, target.y),
    border(target, -direction),
  ]
  return { points, loop: false }
}

/** A loop at the right side: of a node to itself, or to one above or below. */
function aside(source: Rectangle, target: Rectangle): Route {
  const reach = Math.max(source.width, target.width) / 2 + 22 + Math.min(34, Math.abs(source.y - target.y) / 12)
  const shift = source === target ? 9 : 0
  const points = [
    { x: source.x + source.width / 2, y: source.y - shift },
    { x: source.x + reach, y: source.y - shift },
    { x: target.x + reach, y: target.y + shift },
    { x: target.x + target.width / 2, y: target.y + shift },
  ]
  return { points, loop: true }
}
