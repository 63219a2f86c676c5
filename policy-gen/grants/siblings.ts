import type { Permission } from '../../services/model/permission.ts'
import { readObservedPath, type Segment, typeAdmits } from '../observed-path.ts'
import { isPrefix, matcherOf, type PathPattern } from './pattern.ts'

/** A permission with the path that the target gets for it. */
export interface Written {
  permission: Permission
  path: PathPattern
}

/** Observed operations of other callers that a template would let in too. */
export interface Overlap {
  /** Paths to keep out of the template. */
  not: string[]
  /** Paths that cannot be kept out without keeping out what was observed. */
  open: string[]
}

/** Answers, for one callee, what a caller's template must keep out. */
export type OverlapOf = (own: Written, mayAlready: (path: string) => boolean) => Overlap

/**
 * `{*}` is wider than what was observed: `/users/{int}` is written `/users/{*}`, which lets `/users/admin` in. Where
 * another operation of the callee is known to be swept in so, the template gets it as a path that it is not for, unless that could hit
 * the template's own values: a type excludes the literal by itself, and of two routes of one framework the literal one
 * is the one that answers.
 */
export function overlapsAmong(all: readonly Written[]): OverlapOf {
  const bounded = all.filter(({ path }) => path !== '' && !isPrefix(path))
  const shapes = new Map(all.map((written) => [written, readSegments(written)]))
  const segmentsOf = (written: Written): Segment[] => shapes.get(written) ?? []
  const byLength = Map.groupBy(bounded, (written) => segmentsOf(written).length)
  const found = new Map<string, Sibling[]>()
  const siblingsOf = (own: Written): Sibling[] => {
    const key = JSON.stringify([own.permission.operation, own.permission.port])
    const segments = segmentsOf(own)
    const known = found.get(key)
    if (known) return known
    const mine = { permission: own.permission, segments, values: own.path.slice(1).split('/').map(matcherOf) }
    const reached = isTail(segments) ? bounded : (byLength.get(segments.length) ?? [])
    const siblings = reached.flatMap((written): Sibling[] => {
      const result = compare(mine, written.permission, segmentsOf(written))
      return result === 'apart' ? [] : [{ written, excludable: result === 'excludable' }]
    })
    found.set(key, siblings)
    return siblings
  }
  return (own, mayAlready) => {
    if (!own.path.includes('{*}') && !isTail(segmentsOf(own))) return { not: [], open: [] }
    const siblings = siblingsOf(own).filter(({ written }) => !mayAlready(written.permission.operation.path))
    const not = siblings.filter(({ excludable }) => excludable).map(({ written }) => written.path)
    const open = siblings
      .filter(({ excludable }) => !excludable)
      .map(({ written }) => written.permission.operation.path)
    return { not: [...new Set(not)].sort(), open: [...new Set(open)].sort() }
  }
}

interface Sibling {
  written: Written
  excludable: boolean
}

/** A permission with a parameter: its segments, and what each of them is written to match. */
interface Own {
  permission: Permission
  segments: Segment[]
  values: RegExp[]
}

function compare(
  { permission: own, segments: mine, values }: Own,
  other: Permission,
  theirs: Segment[],
): 'apart' | 'excludable' | 'open' {
  if (own.operation.path === other.operation.path) return 'apart'
  const samePort = own.port === 0 || other.port === 0 || own.port === other.port
  const together = samePort && own.operation.method === other.operation.method
  const routes = own.operation.flags.includes('route') && other.operation.flags.includes('route')
  if (isTail(mine)) return together && isBelow(mine, theirs) ? 'open' : 'apart'
  let excludable = false
  let wider = false
  for (const [at, segment] of mine.entries()) {
    const their = theirs[at]
    if (!their) return 'apart'
    if (segment.kind === 'literal') {
      if (their.kind !== 'literal' || their.text !== segment.text) return 'apart'
    } else if (their.kind === 'literal') {
      if (!values[at]?.test(their.text)) return 'apart'
      // What no value of the type can be is kept out for every method and port: it costs no observed request.
      const foreign = segment.kind === 'typed' && !typeAdmits(segment.type, their.text)
      excludable ||= foreign || (segment.kind === 'parameter' && routes && together)
      wider ||= segment.kind !== 'typed'
    } else wider ||= !sameSegment(segment, their)
  }
  if (excludable) return 'excludable'
  return wider && together ? 'open' : 'apart'
}

const isTail = (segments: Segment[]) => segments.at(-1)?.kind === 'tail'

/** Whether a tail may reach a path: what stands before it can be the same. */
function isBelow(mine: Segment[], theirs: Segment[]): boolean {
  const head = mine.slice(0, -1)
  return theirs.length >= mine.length && head.every((segment, at) => mayBe(segment, theirs[at]))
}

function mayBe(segment: Segment, their: Segment | undefined): boolean {
  if (their?.kind !== 'literal') return true
  if (segment.kind === 'literal') return segment.text === their.text
  return segment.kind !== 'typed' || typeAdmits(segment.type, their.text)
}

function sameSegment(left: Segment, right: Segment): boolean {
  if (left.kind === 'typed') return right.kind === 'typed' && right.type === left.type
  return left.kind === right.kind
}

function readSegments({ permission }: Written): Segment[] {
  const path = readObservedPath(permission.operation.path, permission.operation.flags)
  return path.known ? path.segments : []
}
