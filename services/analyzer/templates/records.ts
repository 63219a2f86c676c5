import { PATH_FLAGS, type PathFlag } from '../../model/operation.ts'
import { readShape } from '../../model/shape.ts'
import type { OperationTemplate, Pin, TemplateForm, TemplatePart, TemplateSet } from '../../model/template.ts'
import type { CalleePath } from '../../store/queries/paths.ts'
import type { ChangeRow, PinRow, TemplateRow } from '../../store/queries/templates.ts'
import type { Learned } from '../operations/learn.ts'
import { namesKept } from '../operations/named.ts'
import type { SeenPath } from '../operations/rows.ts'

/**
 * Paths that say nothing of the paths of a callee (reported routes, texts that cannot be told from a template), or that no
 * template of any target matches as it matches the path itself.
 */
const UNTAUGHT: PathFlag[] = ['route', 'braces', 'dot_segment', 'double_slash', 'unusual']
const UNTAUGHT_BITS = UNTAUGHT.reduce((bits, flag) => bits | (1 << PATH_FLAGS.indexOf(flag)), 0)
const UNTAUGHT_CHARACTERS = /[*[\]]/

/** Whether templates are learned from a path, and looked for. */
export const isTaught = ({ path_flags, shape }: Pick<CalleePath, 'path_flags' | 'shape'>) =>
  (path_flags & UNTAUGHT_BITS) === 0 && !UNTAUGHT_CHARACTERS.test(readShape(shape).path)

/** A stored path as the learner takes it. @param callers the callers' node ids by edge */
export function seenPath(path: CalleePath, callers: ReadonlyMap<string, string>): SeenPath {
  const { method, shape, requests, edges, first_seen } = path
  return {
    method,
    ...namedPath(shape),
    requests,
    callers: [...new Set(edges.map((edge) => callers.get(edge) ?? ''))],
    firstSeen: first_seen,
    ...(isTaught(path) ? {} : { named: true }),
  }
}

function namedPath(shape: string): Pick<SeenPath, 'path' | 'operation'> {
  const { path, operation } = readShape(shape)
  return operation === '' ? { path } : { path, operation }
}

/** The same, with the names of operations beyond the most that a path has folded into it. */
export function seenPaths(paths: readonly CalleePath[], callers: ReadonlyMap<string, string>): SeenPath[] {
  const seen = paths.map((path) => seenPath(path, callers))
  const { named = [], plain = [] } = Object.groupBy(seen, ({ operation }) =>
    operation === undefined ? 'plain' : 'named',
  )
  const use = (one: SeenPath) => ({ key: pathKey(one), operation: one.operation ?? '', requests: one.requests })
  const isKept = namesKept(named.map(use))
  const folded = named.filter((one) => !isKept(use(one)))
  if (folded.length === 0) return seen
  const byPath = Map.groupBy([...plain, ...folded], pathKey)
  return [...named.filter((one) => isKept(use(one))), ...[...byPath.values()].flatMap(atPath)]
}

const pathKey = ({ method, path }: SeenPath) => `${method} ${path}`

/** Several names at one path as the path alone. */
function atPath(same: readonly SeenPath[]): SeenPath[] {
  const [first] = same
  if (!first) return []
  const { operation: _, ...path } = first
  const seen = same.flatMap(({ firstSeen }) => firstSeen ?? []).sort()
  return [
    {
      ...path,
      requests: same.reduce((sum, { requests }) => sum + requests, 0),
      callers: [...new Set(same.flatMap(({ callers }) => callers))],
      ...(seen[0] === undefined ? {} : { firstSeen: seen[0] }),
    },
  ]
}

export const pinsOf = (pins: readonly PinRow[], callee: string): Pin[] =>
  pins.flatMap(({ callee: of, kind, at, method }) =>
    of === callee && kind !== 'none' ? [{ kind, at, ...(method === '' ? {} : { method }) }] : [],
  )

/** Equal for the same pins. */
export const pinText = (pins: readonly Pin[]) => (pins.length === 0 ? '' : JSON.stringify(pins))

/** What is stored of a callee as the learner left it; undefined for nothing. */
export function previousOf(set: TemplateSet | undefined, rows: readonly TemplateRow[]): Learned | undefined {
  if (!set) return undefined
  const none = { paths: 0, requests: 0 }
  return {
    version: set.version,
    templates: rows.filter(({ role }) => role === 'template').map(templateOfRow),
    changes: [],
    folded: { rare: none, full: none, untaught: none },
    apart: [],
    kept: [],
  }
}

export function formOfRow({ id, method, operation, segments }: TemplateRow): TemplateForm {
  return { id, method, operation, segments: JSON.parse(segments) as TemplatePart[][] }
}

export function templateOfRow(row: TemplateRow): OperationTemplate {
  const { path, paths, requests, callers, combinations, unseen, open, istio, version, since, first_seen } = row
  return {
    ...formOfRow(row),
    ...{ path, paths, requests, callers, firstSeen: first_seen, istio, version, since },
    widening: { combinations, unseen, open },
  }
}

type Told = Pick<TemplateSet, 'callee' | 'usage' | 'pins' | 'learner' | 'written' | 'paths' | 'left_out_paths'>

/** What was learned as rows; those of `stored` that are no longer there become `gone`. */
export function rowsOfLearned(
  { version, templates, changes, folded, apart }: Learned,
  stored: readonly TemplateRow[],
  told: Told,
): { rows: TemplateRow[]; changes: ChangeRow[]; set: TemplateSet } {
  const { callee } = told
  const rows = [
    ...templates.map((template) => templateRow(callee, template)),
    ...apart.map((form) => nameRow(callee, form)),
  ]
  const ids = new Set(rows.map(({ id }) => id))
  const gone = stored.filter(({ id }) => !ids.has(id)).map((row) => ({ ...row, role: 'gone' as const }))
  const set: TemplateSet = {
    ...told,
    ...{ version, templates: templates.length },
    ...{ rare_paths: folded.rare.paths, rare_requests: folded.rare.requests },
    ...{ full_paths: folded.full.paths, full_requests: folded.full.requests },
    ...{ untaught_paths: folded.untaught.paths, untaught_requests: folded.untaught.requests },
  }
  return { rows: [...rows, ...gone], changes: changes.map((change) => ({ callee, version, ...change })), set }
}

function templateRow(callee: string, template: OperationTemplate): TemplateRow {
  const { segments, widening, firstSeen, ...same } = template
  return { callee, role: 'template', ...same, ...widening, segments: JSON.stringify(segments), first_seen: firstSeen }
}

function nameRow(callee: string, { segments, ...form }: TemplateForm): TemplateRow {
  return {
    ...{ callee, role: 'name', ...form, path: '', segments: JSON.stringify(segments), version: 0, since: 0, paths: 0 },
    ...{ requests: 0, callers: [], combinations: 0, unseen: 0, open: false, istio: '', first_seen: '' },
  }
}
