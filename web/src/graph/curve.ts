import { curveBumpX, line } from 'd3'
import type { Point } from './layered.ts'
import type { Route } from './route.ts'

const smooth = line<Point>(
  (point) => point.x,
  (point) => point.y,
).curve(curveBumpX)

/** The `d` attribute of a line. */
export function curve({ points, loop }: Route): string {
  if (!loop) return smooth(points) ?? ''
  const at = (index: number) => `${points[index]?.x ?? 0} ${points[index]?.y ?? 0}`
  return `M ${at(0)} C ${at(1)}, ${at(2)}, ${at(3)}`
}

/** A small triangle at the destination: lines arrive horizontally. */
export function arrowhead({ points, loop }: Route): string {
  const tip = points.at(-1) ?? { x: 0, y: 0 }
  const before = points.at(-2) ?? tip
  const back = loop || before.x > tip.x ? 7 : -7
  return `M ${tip.x} ${tip.y} l ${back} -3.5 v 7 z`
}

/** A point on the curve near its middle, where its mark goes: halfway along a step, curve and straight line meet. */
export function middle({ points, loop }: Route): Point {
  const first = (points.length - 2) >> 1
  const [a, b] = [points[first], points[first + 1]]
  if (a === undefined || b === undefined) return { x: 0, y: 0 }
  if (!loop) return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }
  const [start, bulge, , end] = points
  if (start === undefined || bulge === undefined || end === undefined) return a
  return { x: (start.x + end.x) / 8 + (3 * bulge.x) / 4, y: (start.y + end.y) / 2 }
}

/** Width of a line: a thousand times the requests is about twice as wide. */
export function strokeWidth(requests: number): number {
  return 1.2 + 0.55 * Math.log10(requests + 1)
}
