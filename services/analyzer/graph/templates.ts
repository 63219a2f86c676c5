import { type NamedPath, readShape, shapeText } from '../../model/shape.ts'
import type { OperationTemplate } from '../../model/template.ts'
import type { OperationRow } from '../../store/queries/rollups.ts'
import { namesKept } from '../operations/named.ts'
import { isTaught } from '../templates/records.ts'
import type { TemplateOf } from '../templates/stored.ts'
import type { Call } from './calls.ts'

/** A caller that used fewer different paths of a template keeps them as they are: one path is no wish for all. */
const PATHS_MIN = 3

type OperationCall = Call<OperationRow>

/**
 * The calls with their paths as templates; paths without one stay as they are. Names of operations beyond the most that a path has
 * are folded into it.
 * @param templates of each callee
 */
export function withTemplates(
  all: readonly OperationCall[],
  templates: ReadonlyMap<string, TemplateOf>,
): OperationCall[] {
  const calls = withKeptNames(all)
  const found = new Map<OperationCall, OperationTemplate>()
  for (const call of calls) {
    const { row, destination } = call
    const template =
      row.protocol !== 'grpc' && isTaught(row)
        ? templates.get(destination.id)?.({ method: row.method, ...readShape(row.shape) })
        : undefined
    if (template) found.set(call, template)
  }
  const shapes = new Map<string, Set<string>>()
  const keyOf = ({ source, destination }: OperationCall, { id }: OperationTemplate) =>
    JSON.stringify([source.id, destination.id, id])
  for (const [call, template] of found) {
    if (call.row.requests <= (call.row.not_found ?? 0)) continue
    const known = shapes.get(keyOf(call, template)) ?? new Set()
    shapes.set(keyOf(call, template), known.add(call.row.shape))
  }
  return calls.map((call) => {
    const template = found.get(call)
    if (!template || (shapes.get(keyOf(call, template))?.size ?? 0) < PATHS_MIN) return call
    return { ...call, row: { ...call.row, shape: shapeText(template) } }
  })
}

function withKeptNames(calls: readonly OperationCall[]): OperationCall[] {
  const use = ({ row, destination }: OperationCall, { path, operation }: NamedPath) => ({
    key: JSON.stringify([destination.id, row.method, path]),
    operation,
    requests: row.requests,
  })
  const named = new Map<OperationCall, NamedPath>()
  for (const call of calls) {
    const path = readShape(call.row.shape)
    if (path.operation !== '') named.set(call, path)
  }
  if (named.size === 0) return [...calls]
  const isKept = namesKept([...named].map(([call, path]) => use(call, path)))
  return calls.map((call) => {
    const path = named.get(call)
    if (!path || isKept(use(call, path))) return call
    return { ...call, row: { ...call.row, shape: path.path, folded_name: path.operation } }
  })
}
