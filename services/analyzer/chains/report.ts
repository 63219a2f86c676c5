import type { Expectation, Gap, ShapeCall } from '../../model/chain.ts'
import type { ChainCount, StoredShape } from '../../store/queries/chain-counts.ts'
import { isFolded } from './cells.ts'
import { createJudge, GAP_REASONS, type Judge, readGaps } from './verdict.ts'

/** What is shown of one answer; what is beyond is counted and said. */
export const ROOTS_MAX = 200
export const SHAPES_MAX = 50
export const BREAKS_MAX = 100
const SAMPLES_MAX = 3

export interface ShapeUse {
  id: string
  chains: number
  /** Of the root operation's chains, 0 to 1. */
  share: number
  /** Calls in the chain that it was taken from. */
  calls: number
  first_seen: string
  last_seen: string
  /** Whether no chain before the window had it. */
  is_new: boolean
  samples: string[]
  tree?: ShapeCall
}

/** One place where chains break, or a user is lost, and why. */
export interface Place extends Gap {
  chains: number
  why: string
  samples: string[]
}

export interface RootReport {
  callee: string
  method: string
  path: string
  chains: number
  complete: number
  /** Chains of which a part is not waited for. */
  asynchronous: number
  fan_out: number
  shapes: ShapeUse[]
  /** Shapes beyond those listed. */
  shapes_left_out: number
  /** Complete chains whose shape was not kept: more were told than a minute, or the store, has room for. */
  folded: number
  breaks: Place[]
  breaks_left_out: number
  users_lost: Place[]
}

interface Sums {
  root: RootReport
  shapes: Map<string, ShapeUse>
  places: Map<string, Place>
}

/**
 * Root operations with the shapes of their complete chains and the places where the others break, the most frequent first.
 * @param since start of the window, where there are chains before it: a shape that none of them has is new
 */
export function reportRoots(
  counts: readonly ChainCount[],
  expectations: readonly Expectation[],
  shapes: readonly (StoredShape & { first_seen: string })[],
  since: string | undefined,
): RootReport[] {
  const judge = createJudge(expectations)
  const known = new Map(shapes.map((shape) => [shape.id, shape]))
  const roots = new Map<string, Sums>()
  for (const count of counts) addCount(sumsOf(roots, count), count, judge)
  return [...roots.values()]
    .map(({ root, shapes: uses, places }) => {
      const told = [...places.values()].sort((a, b) => b.chains - a.chains)
      const breaks = told.filter(({ kind }) => kind !== 'user_lost')
      const listed = [...uses.values()].sort((a, b) => b.chains - a.chains).slice(0, SHAPES_MAX)
      return {
        ...root,
        shapes: listed.map((use) => described(use, root.chains, known.get(use.id), since)),
        shapes_left_out: uses.size - listed.length,
        breaks: breaks.slice(0, BREAKS_MAX),
        breaks_left_out: Math.max(0, breaks.length - BREAKS_MAX),
        users_lost: told.filter(({ kind }) => kind === 'user_lost').slice(0, BREAKS_MAX),
      }
    })
    .sort((a, b) => b.chains - a.chains)
}

function sumsOf(roots: Map<string, Sums>, { root_callee, root_method, root_path }: ChainCount): Sums {
  const key = JSON.stringify([root_callee, root_method, root_path])
  const known = roots.get(key)
  if (known) return known
  const root = {
    ...{
      callee: root_callee,
      method: root_method,
      path: root_path,
      chains: 0,
      complete: 0,
      asynchronous: 0,
      fan_out: 0,
    },
    ...{ shapes: [], shapes_left_out: 0, folded: 0, breaks: [], breaks_left_out: 0, users_lost: [] },
  }
  const sums = { root, shapes: new Map(), places: new Map() }
  roots.set(key, sums)
  return sums
}

function addCount({ root, shapes, places }: Sums, count: ChainCount, judge: Judge): void {
  root.chains += count.chains
  root.asynchronous += count.asynchronous
  root.fan_out = Math.max(root.fan_out, count.fan_out)
  const told = readGaps(count.gaps).filter((gap) => judge.isTold(gap))
  for (const gap of told) addPlace(places, gap, count)
  if (told.some((gap) => judge.isBreak(gap))) return
  root.complete += count.chains
  if (count.shape !== '') addShape(shapes, count)
  else if (isFolded(count)) root.folded += count.chains
}

function addPlace(places: Map<string, Place>, gap: Gap, { chains, samples }: ChainCount): void {
  const key = JSON.stringify(gap)
  const place = places.get(key) ?? { ...gap, chains: 0, why: GAP_REASONS[gap.kind], samples: [] }
  place.chains += chains
  place.samples = [...new Set([...place.samples, ...samples])].slice(0, SAMPLES_MAX)
  places.set(key, place)
}

function addShape(shapes: Map<string, ShapeUse>, count: ChainCount): void {
  const { shape: id, chains, first_seen, last_seen, samples } = count
  const use = shapes.get(id)
  if (!use) {
    shapes.set(id, { id, chains, share: 0, calls: 0, first_seen, last_seen, is_new: false, samples })
    return
  }
  use.chains += chains
  if (first_seen < use.first_seen) use.first_seen = first_seen
  if (last_seen > use.last_seen) use.last_seen = last_seen
  use.samples = [...new Set([...use.samples, ...samples])].slice(0, SAMPLES_MAX)
}

function described(
  use: ShapeUse,
  chains: number,
  shape: (StoredShape & { first_seen: string }) | undefined,
  since: string | undefined,
): ShapeUse {
  const share = use.chains / chains
  if (!shape) return { ...use, share }
  const tree = JSON.parse(shape.tree) as ShapeCall
  return {
    ...use,
    share,
    calls: shape.calls,
    is_new: since !== undefined && Date.parse(shape.first_seen) >= Date.parse(since),
    tree,
  }
}

/** Services that never call on in any chain, though the graph knows calls of theirs: they do not pass the context on (SM-DR24). */
export interface ContextLost {
  service: string
  /** Calls to it in the window's chains, none of which led on. */
  calls: number
}

/** Fewer calls to a service than this do not tell that it never calls on. */
const LEAF_CALLS_MIN = 20

/** @param callers workloads that access logs or counters know as callers, `namespace/workload` */
export function contextLost(expectations: readonly Expectation[], callers: ReadonlySet<string>): ContextLost[] {
  return expectations
    .filter(
      ({ kind, callee, met, unmet }) =>
        kind === 'calls_on' && met === 0 && unmet >= LEAF_CALLS_MIN && callers.has(callee),
    )
    .map(({ callee, unmet }) => ({ service: callee, calls: unmet }))
    .sort((a, b) => b.calls - a.calls || (a.service < b.service ? -1 : 1))
}
