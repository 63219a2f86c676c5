import type { Point } from './layered.ts'

export const DIRECTIONS: Record<string, Point> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
}

/** How much worse it is to stray up or down than to go on to the side. */
const STRAY = 2.5

/**
 * The node that an arrow key leads to; undefined at the end. Up and down go through the columns one after the other,
 * from the foot of one to the head of the next, so that every node can be reached; left and right go to the nearest
 * node on that side.
 */
export function step(from: string, direction: Point, places: ReadonlyMap<string, Point>): string | undefined {
  const origin = places.get(from)
  if (origin === undefined) return places.keys().next().value
  if (direction.x !== 0) return beside(origin, direction.x, places)
  const ids = [...places].sort(([, a], [, b]) => Math.round(a.x - b.x) || a.y - b.y).map(([id]) => id)
  return ids[ids.indexOf(from) + direction.y]
}

function beside(origin: Point, side: number, places: ReadonlyMap<string, Point>): string | undefined {
  let best: string | undefined
  let least = Infinity
  for (const [id, place] of places) {
    const ahead = (place.x - origin.x) * side
    const cost = ahead + STRAY * Math.abs(place.y - origin.y)
    if (ahead < 1 || cost >= least) continue
    least = cost
    best = id
  }
  return best
}
