import { createHash } from 'node:crypto'
import type { ShapeCall } from '../../model/chain.ts'
import type { Hop } from './hop.ts'

/** A chain's calls without times and ids: the same for every chain that is completed in the same way. */
export interface Shape {
  /** 16 hexadecimal digits. */
  id: string
  /** Calls in the chain that it was taken from. */
  calls: number
  tree: ShapeCall
}

/** Characters of a shape's tree as JSON. A larger one is kept by its id alone. */
export const SHAPE_TEXT_MAX = 65_536

/**
 * The shape of the chain below a hop. The order of siblings does not matter, and equal ones are folded into one with the class of
 * their number (`1`, `2-3`, `4-7`, …), so that a basket with five items is as one with six.
 */
export function shapeOf(root: Hop): Shape {
  let calls = 0
  const build = (hop: Hop, depth: number): { id: string; call: ShapeCall } => {
    if (!hop.isOrigin) calls++
    const groups = new Map<string, { call: ShapeCall; times: number }>()
    for (const child of hop.children) {
      const built = build(child, depth + 1)
      const known = groups.get(built.id)
      if (known) known.times++
      else groups.set(built.id, { call: built.call, times: 1 })
    }
    const folded = [...groups].sort(([a], [b]) => (a < b ? -1 : 1))
    for (const [, { call, times }] of folded) call.times = countClass(times)
    const call: ShapeCall = {
      callee: hop.callee,
      method: hop.method,
      path: hop.path,
      message: hop.message,
      times: '1',
      calls: folded.map(([, group]) => group.call),
    }
    const below = folded.map(
      ([
        id,
        {
          call: { times },
        },
      ]) => `${id} ${times}`,
    )
    return { id: digest([call.callee, call.method, call.path, call.message, ...below]), call }
  }
  const { id, call } = build(root, 0)
  return { id, calls, tree: call }
}

const digest = (parts: unknown[]) => createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)

/** `1`, `2-3`, `4-7`, `8-15`, …: each class twice as wide as the one before. */
export function countClass(count: number): string {
  const from = 2 ** Math.floor(Math.log2(count))
  return from === 1 ? '1' : `${from}-${2 * from - 1}`
}
