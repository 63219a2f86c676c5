import type { Expectation, Gap, GapKind } from '../../model/chain.ts'
import type { ChainRow, ExpectationRow } from '../../store/queries/chain-counts.ts'
import { MINUTE_MS } from './batch.ts'
import { asynchrony, type Chain, fanOut, rootOperation } from './chain.ts'
import { countExpectations, type FoundGap } from './gaps.ts'
import { SHAPE_TEXT_MAX, type Shape, shapeOf } from './shape.ts'
import { readGaps } from './verdict.ts'

/** Sets of gaps that are told apart in a minute; the places of further chains' gaps are left out, their kinds are kept. */
export const GAP_SETS_MAX = 2_000
/** Gaps that are kept of one chain. */
export const CHAIN_GAPS_MAX = 50
/** Root operations and shapes that are told apart in a minute; chains beyond are counted together, without operation and shape. */
export const MINUTE_SHAPES_MAX = 5_000
/** Traces that are named for each row. */
const SAMPLES_MAX = 3

/** The rows of the minutes in which the given chains begin. */
export interface Cells {
  chains: Map<string, ChainRow>
  expectations: Map<number, Map<string, Expectation>>
  shapes: Map<string, Shape>
  /** Sets of gaps, and shapes with their operations, by minute. */
  gapSets: Map<number, Set<string>>
  kinds: Map<number, Set<string>>
}

export const emptyCells = (): Cells => ({
  chains: new Map(),
  expectations: new Map(),
  shapes: new Map(),
  gapSets: new Map(),
  kinds: new Map(),
})

/** Counts a chain in its minute, in place. Chains come in the same order whenever a minute is counted, so what is cut is too. */
export function countChain(cells: Cells, chain: Chain): void {
  const minute = Math.floor(chain.at / 1000 / MINUTE_MS) * MINUTE_MS
  countExpectations(
    chain.observations,
    within(cells.expectations, minute, () => new Map()),
  )
  add(cells.chains, rowOf(cells, chain, minute))
}

/** Adds a row to the one that has its key. */
function add(rows: Map<string, ChainRow>, row: ChainRow): void {
  const key = JSON.stringify([row.minute, row.root_callee, row.root_method, row.root_path, row.shape, row.gaps])
  const known = rows.get(key)
  if (!known) {
    rows.set(key, { ...row })
    return
  }
  known.chains += row.chains
  known.asynchronous += row.asynchronous
  known.hops += row.hops
  known.fan_out = Math.max(known.fan_out, row.fan_out)
  known.first_seen = Math.min(known.first_seen, row.first_seen)
  known.last_seen = Math.max(known.last_seen, row.last_seen)
  known.samples = [...known.samples, ...row.samples].slice(0, SAMPLES_MAX)
}

function rowOf(cells: Cells, chain: Chain, minute: number): ChainRow {
  const { root, hops, gaps } = chain
  const asked = root && rootOperation(root)
  // What lacks spans in its middle has a shape of chance: it would be a new one each time.
  const shape = root && !gaps.some(hasNoShape) ? shapeOf(root) : undefined
  const operation = [asked?.callee ?? '', asked?.method ?? '', asked?.path ?? '', shape?.id ?? '']
  const isKnown = admitted(
    within(cells.kinds, minute, () => new Set()),
    JSON.stringify(operation),
    MINUTE_SHAPES_MAX,
  )
  const [callee = '', method = '', path = '', id = ''] = isKnown ? operation : []
  if (shape && isKnown && !cells.shapes.has(shape.id)) cells.shapes.set(shape.id, bounded(shape))
  const set = gapSet(gaps)
  const sets = within(cells.gapSets, minute, () => new Set())
  return {
    ...{ minute, root_callee: callee, root_method: method, root_path: path, shape: id },
    gaps: admitted(sets, set, GAP_SETS_MAX) ? set : gapSet(gaps.map(withoutPlace)),
    chains: 1,
    asynchronous: hops.some((hop) => asynchrony(hop) !== '') ? 1 : 0,
    hops: hops.length,
    fan_out: fanOut(chain),
    first_seen: chain.at,
    last_seen: chain.at,
    samples: [chain.trace],
    weight: 1,
  }
}

const hasNoShape = ({ kind }: Pick<Gap, 'kind'>) => kind === 'parent_missing' || kind === 'cut'

function within<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}

/** Whether `value` is in the set, or there is room for it. */
function admitted(set: Set<string>, value: string, max: number): boolean {
  if (set.has(value)) return true
  if (set.size >= max) return false
  set.add(value)
  return true
}

const bounded = (shape: Shape): Shape =>
  JSON.stringify(shape.tree).length <= SHAPE_TEXT_MAX ? shape : { ...shape, tree: { ...shape.tree, calls: [] } }

const withoutPlace = ({ kind }: FoundGap): FoundGap => ({ kind, caller: '', callee: '', operation: '', key: '' })

/** The gaps of a chain as they are stored, `CHAIN_GAPS_MAX` of them at most. */
const gapSet = (gaps: readonly Gap[]) => listed(gaps, CHAIN_GAPS_MAX)

/** A JSON list of `[kind, caller, callee, operation]`, each once, in order; '' where there are none. */
function listed(gaps: readonly Gap[], max = gaps.length): string {
  const texts = gaps.map(({ kind, caller, callee, operation }) => JSON.stringify([kind, caller, callee, operation]))
  const distinct = [...new Set(texts)].sort().slice(0, max)
  return distinct.length === 0 ? '' : `[${distinct.join(',')}]`
}

/** All shapes, those of most chains first. */
export function shapesByUse({ shapes, chains }: Cells): Shape[] {
  const uses = new Map<string, number>()
  for (const row of chains.values()) uses.set(row.shape, (uses.get(row.shape) ?? 0) + row.chains)
  const use = ({ id }: Shape) => uses.get(id) ?? 0
  return [...shapes.values()].sort((a, b) => use(b) - use(a) || (a.id < b.id ? -1 : 1))
}

/** Whether a stored row's chains had a shape that was not kept: what lacks spans in its middle has none. */
export function isFolded({ shape, gaps, hops }: Pick<ChainRow, 'shape' | 'gaps' | 'hops'>): boolean {
  return shape === '' && hops > 0 && !readGaps(gaps).some(hasNoShape)
}

/** Kinds that only say something where there is any line, or any span, at all. */
const REPORTER_KINDS: readonly GapKind[] = ['callee_log_missing', 'caller_log_missing', 'span_missing']

/**
 * The rows of all minutes. Where a minute has no line of any callee's proxy, or of any caller's, that is not said of each hop:
 * nothing could be expected, and the rows would be long.
 * @param weight how many chains each that was counted stands for
 * @param folded shapes that are not kept: their chains are counted without
 */
export function chainRows(cells: Cells, weight = 1, folded: ReadonlySet<string> = new Set()): ChainRow[] {
  const silent = new Map<number, Set<GapKind>>()
  for (const [minute, counts] of cells.expectations) {
    const told = new Set([...counts.values()].filter(({ met }) => met > 0).map(({ kind }) => kind))
    silent.set(minute, new Set(REPORTER_KINDS.filter((kind) => !told.has(kind))))
  }
  const rows = new Map<string, ChainRow>()
  for (const row of cells.chains.values()) {
    const kinds = silent.get(row.minute) ?? new Set()
    add(rows, {
      ...row,
      shape: folded.has(row.shape) ? '' : row.shape,
      gaps: kinds.size === 0 ? row.gaps : withoutKinds(row.gaps, kinds),
    })
  }
  return [...rows.values()].map((row) => ({
    ...row,
    chains: row.chains * weight,
    asynchronous: row.asynchronous * weight,
    hops: row.hops * weight,
    weight,
  }))
}

function withoutKinds(gaps: string, kinds: ReadonlySet<GapKind>): string {
  return gaps === ''
    ? ''
    : listed(readGaps(gaps).filter(({ kind }) => !kinds.has(kind === 'sampled_away' ? 'span_missing' : kind)))
}

/** @param weight as for `chainRows` */
export function expectationRows(cells: Cells, weight = 1): ExpectationRow[] {
  return [...cells.expectations].flatMap(([minute, counts]) =>
    [...counts.values()].map(({ met, unmet, ...expectation }) => ({
      ...{ minute, ...expectation, met: met * weight, unmet: unmet * weight },
    })),
  )
}
