import type { Point } from './layered.ts'

export const DIRECTIONS: Record<string, Point> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
}

/** How much worse it is to stray sideways than to go on: keeps up and down within a column where it has more nodes. */
const STRAY = 2.5

/**
 * The node that an arrow key leads to: the nearest one in that direction, or undefined at the edge of the drawing.
 * Every node can be reached from every other one, since left and right also see what lies far above or below.
 */
export function step(from: string, direction: Point, places: ReadonlyMap<string, Point>): string | undefined {
  const origin = places.get(from)
  if (origin === undefined) return places.keys().next().value
  let best: string | undefined
  let least = Infinity
  for (const [id, place] of places) {
    const ahead = (place.x - origin.x) * direction.x + (place.y - origin.y) * direction.y
    const stray = Math.abs((place.x - origin.x) * direction.y) + Math.abs((place.y - origin.y) * direction.x)
    if (id === from || ahead < 1) continue
    const cost = ahead + STRAY * stray
    if (cost < least) {
      least = cost
      best = id
    }
  }
  return best
}
