import type { OperationTemplate } from '../../model/template.ts'
import type { OperationRow } from '../../store/queries/rollups.ts'
import { isTaught } from '../templates/records.ts'
import type { TemplateOf } from '../templates/stored.ts'
import type { Call } from './calls.ts'

/** A caller that used fewer different paths of a template keeps them as they are: one path is no wish for all. */
const PATHS_MIN = 3

/**
 * The calls with their paths as templates; paths without one stay as they are.
 * @param templates of each callee
 */
export function withTemplates(
  calls: readonly Call<OperationRow>[],
  templates: ReadonlyMap<string, TemplateOf>,
): Call<OperationRow>[] {
  const found = new Map<Call<OperationRow>, OperationTemplate>()
  for (const call of calls) {
    const { row, destination } = call
    const template =
      row.protocol !== 'grpc' && isTaught(row)
        ? templates.get(destination.id)?.({ method: row.method, path: row.shape })
        : undefined
    if (template) found.set(call, template)
  }
  const shapes = new Map<string, Set<string>>()
  const keyOf = ({ source, destination }: Call<OperationRow>, { id }: OperationTemplate) =>
    JSON.stringify([source.id, destination.id, id])
  for (const [call, template] of found) {
    if (call.row.requests <= (call.row.not_found ?? 0)) continue
    const known = shapes.get(keyOf(call, template)) ?? new Set()
    shapes.set(keyOf(call, template), known.add(call.row.shape))
  }
  return calls.map((call) => {
    const template = found.get(call)
    if (!template || (shapes.get(keyOf(call, template))?.size ?? 0) < PATHS_MIN) return call
    return { ...call, row: { ...call.row, shape: template.path } }
  })
}
