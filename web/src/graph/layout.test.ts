import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { GraphEdge, GraphNode } from '../../../services/model/graph.ts'
import { bundles } from './bundle.ts'
import { createSceneCache } from './cache.ts'
import { layered } from './layered.ts'
import { DIRECTIONS, step } from './navigate.ts'
import { crossings } from './order.ts'
import { scene } from './scene.ts'
import { spread } from './spread.ts'

const SPACING = { rowGap: 10, columnGap: 50 }

const graphs = fc
  .integer({ min: 1, max: 40 })
  .chain((size) =>
    fc.tuple(
      fc.constant(
        Array.from({ length: size }, (_, index) => ({ id: `n${index}`, width: 60 + 20 * (index % 4), height: 30 })),
      ),
      fc.array(fc.record({ source: fc.nat(size - 1), target: fc.nat(size - 1) }), { maxLength: 90 }),
    ),
  )
  .map(([boxes, pairs]) => ({
    boxes,
    links: pairs.map(({ source, target }) => ({ source: `n${source}`, target: `n${target}` })),
  }))

describe('layered', () => {
  test('gives the same places whatever the order of boxes and links', () => {
    fc.assert(
      fc.property(graphs, ({ boxes, links }) => {
        const turned = layered([...boxes].reverse(), [...links].reverse(), SPACING)
        const placed = layered(boxes, links, SPACING)
        expect([...turned.centres].sort()).toEqual([...placed.centres].sort())
        expect([...turned.routes].sort()).toEqual([...placed.routes].sort())
      }),
      { numRuns: 40 },
    )
  })

  test('no box overlaps another, and all of them are within the drawing', () => {
    fc.assert(
      fc.property(graphs, ({ boxes, links }) => {
        const { centres, width, height } = layered(boxes, links, SPACING)
        const placed = boxes.map((box) => ({ ...box, x: 0, y: 0, ...centres.get(box.id) }))
        for (const a of placed) {
          expect(a.x - a.width / 2).toBeGreaterThan(-0.01)
          expect(a.x + a.width / 2).toBeLessThan(width + 0.01)
          expect(a.y).toBeGreaterThan(0)
          expect(a.y).toBeLessThan(height)
          for (const b of placed) {
            const apart =
              Math.abs(a.x - b.x) > (a.width + b.width) / 2 - 0.01 ||
              Math.abs(a.y - b.y) > (a.height + b.height) / 2 - 0.01
            expect(a.id === b.id || apart).toBe(true)
          }
        }
      }),
      { numRuns: 40 },
    )
  })

  test('a chain of calls runs from left to right', () => {
    const boxes = ['web', 'api', 'store'].map((id) => ({ id, width: 80, height: 30 }))
    const { centres } = layered(
      boxes,
      [
        { source: 'web', target: 'api' },
        { source: 'api', target: 'store' },
      ],
      SPACING,
    )
    const x = boxes.map(({ id }) => centres.get(id)?.x ?? 0)
    expect(x).toEqual([...x].sort((a, b) => a - b))
    expect(new Set(x).size).toBe(3)
  })

  test('nothing is drawn as nothing', () => {
    expect(layered([], [], SPACING)).toMatchObject({ width: 0, height: 0 })
  })
})

describe('spread', () => {
  test('keeps the order, the room and the bounds, and does not move what is content', () => {
    const wishes = fc.array(
      fc.record({
        wanted: fc.integer({ min: -500, max: 1500 }),
        weight: fc.integer({ min: 1, max: 3 }),
        room: fc.integer({ min: 4, max: 60 }),
      }),
      { maxLength: 30 },
    )
    fc.assert(
      fc.property(wishes, fc.integer({ min: 0, max: 2500 }), (all, height) => {
        const places = spread(all, height)
        const needed = all.reduce((sum, wish) => sum + wish.room, 0)
        for (const [index, wish] of all.entries()) {
          const top = (places[index] ?? 0) - wish.room / 2
          const above = index === 0 ? 0 : (places[index - 1] ?? 0) + (all[index - 1]?.room ?? 0) / 2
          expect(top).toBeGreaterThan(above - 0.001)
          expect(top + wish.room).toBeLessThan(Math.max(height, needed) + 0.001)
        }
      }),
    )
    expect(
      spread(
        [
          { wanted: 20, weight: 1, room: 10 },
          { wanted: 70, weight: 1, room: 10 },
        ],
        100,
      ),
    ).toEqual([20, 70])
    expect(
      spread(
        [
          { wanted: 50, weight: 1, room: 10 },
          { wanted: 50, weight: 1, room: 10 },
        ],
        100,
      ),
    ).toEqual([45, 55])
  })
})

test('crossings are counted as pairs', () => {
  const after = new Map([
    ['a', ['y']],
    ['b', ['x', 'y']],
    ['c', ['x']],
  ])
  const slow = (columns: [string[], string[]]) => {
    const ends = columns[0].flatMap((id, row) =>
      (after.get(id) ?? []).map((other) => [row, columns[1].indexOf(other)] as const),
    )
    return ends.flatMap(([a, c]) => ends.filter(([b, d]) => a < b && c > d)).length
  }
  for (const columns of [
    [
      ['a', 'b', 'c'],
      ['x', 'y'],
    ],
    [
      ['c', 'b', 'a'],
      ['x', 'y'],
    ],
    [
      ['b', 'a', 'c'],
      ['y', 'x'],
    ],
  ] as [string[], string[]][]) {
    expect(crossings(columns, after)).toBe(slow(columns))
  }
})

function node(namespace: string, name: string, kind: GraphNode['kind'] = 'workload'): GraphNode {
  const id = kind === 'group' ? `group:c/${namespace}` : `c/${namespace}/${name}`
  return { id, kind, name: kind === 'group' ? namespace : name, namespace, workload: name, cluster: 'c', principal: '' }
}

function edge(source: GraphNode, destination: GraphNode, more: Partial<GraphEdge> = {}): GraphEdge {
  const counts = { service_port: 80, workload_port: 8080, protocol: 'http', requests: 5, denied: 1 }
  const rest = {
    evidence: 'verified',
    reporter: 'destination',
    mtls: 'yes',
    first_seen: '',
    last_seen: '',
    operations: [],
  } as const
  return { source: source.id, destination: destination.id, ...counts, ...rest, operations: [], ...more }
}

describe('scene', () => {
  const [web, api, store] = [node('shop', 'web'), node('shop', 'api'), node('data', '', 'group')]

  test('members of an expanded group stand inside its frame', () => {
    const drawn = scene([web, api, store], bundles([edge(web, api), edge(api, store)]), ['group:c/shop'])
    const [frame] = drawn.frames
    for (const { id } of [web, api]) {
      const place = drawn.nodes.get(id) ?? { x: -1, y: -1 }
      expect(place.x).toBeGreaterThan(frame?.x ?? Infinity)
      expect(place.x).toBeLessThan((frame?.x ?? 0) + (frame?.width ?? 0))
      expect(place.y).toBeGreaterThan(frame?.y ?? Infinity)
      expect(place.y).toBeLessThan((frame?.y ?? 0) + (frame?.height ?? 0))
    }
    expect(frame?.name).toBe('shop')
    expect(drawn.lines.size).toBe(2)
  })

  test('an edge to a node that is not there is left out', () => {
    expect(scene([web], bundles([edge(web, api)]), []).lines.size).toBe(0)
  })

  test('is remembered by its form: new counts move nothing, a new node does', () => {
    let made = 0
    const place = createSceneCache((...given) => {
      made += 1
      return scene(...given)
    })
    const first = place([web, api], bundles([edge(web, api)]), [])
    expect(place([api, web], bundles([edge(web, api, { requests: 999 })]), [])).toBe(first)
    expect(made).toBe(1)
    expect(place([web, api, store], bundles([edge(web, api)]), [])).not.toBe(first)
  })
})

test('a bundle sums its ports and is known no better than the worst of them', () => {
  const [web, api] = [node('shop', 'web'), node('shop', 'api')]
  const [bundle, ...others] = bundles([edge(web, api), edge(web, api, { service_port: 9090, evidence: 'claimed' })])
  expect(others).toEqual([])
  expect(bundle).toMatchObject({ requests: 10, denied: 2, evidence: 'claimed' })
})

test('arrow keys lead from any node to any other', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.record({ x: fc.nat(9), y: fc.nat(9) }), {
        minLength: 1,
        maxLength: 20,
        selector: ({ x, y }) => `${x} ${y}`,
      }),
      (points) => {
        const places = new Map(points.map(({ x, y }) => [`${x} ${y}`, { x: x * 100, y: y * 40 }]))
        const reached = new Set<string>()
        const queue = [...places.keys()].slice(0, 1)
        for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
          reached.add(id)
          for (const direction of Object.values(DIRECTIONS)) {
            const next = step(id, direction, places)
            if (next !== undefined && !reached.has(next)) queue.push(next)
          }
        }
        expect(reached.size).toBe(places.size)
      },
    ),
  )
})

test('left and right lead to the nearest node on that side, down to the foot and on to the next column', () => {
  const places = new Map(
    Object.entries({ a: { x: 0, y: 0 }, b: { x: 0, y: 50 }, c: { x: 200, y: 40 }, d: { x: 200, y: 400 } }),
  )
  const go = (from: string, key: string) => step(from, DIRECTIONS[key] ?? { x: 0, y: 0 }, places)
  expect([go('a', 'ArrowRight'), go('d', 'ArrowLeft'), go('a', 'ArrowDown'), go('b', 'ArrowDown')]).toEqual([
    'c',
    'b',
    'b',
    'c',
  ])
  expect([go('a', 'ArrowLeft'), go('d', 'ArrowRight'), go('a', 'ArrowUp'), go('d', 'ArrowDown')]).toEqual(
    Array(4).fill(undefined),
  )
  expect(go('gone', 'ArrowDown')).toBe('a')
})
