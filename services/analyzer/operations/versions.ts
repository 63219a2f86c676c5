import type { OperationTemplate, TemplateChange } from '../../model/template.ts'
import type { Learned } from './learn.ts'
import { Matcher } from './matcher.ts'
import { methodOf, type SeenPath } from './rows.ts'

/** Templates with their versions, and what became of the earlier ones: nothing changes its name without being told. */
export function changesOf(
  previous: Learned | undefined,
  found: readonly OperationTemplate[],
  kept: readonly SeenPath[],
): { templates: OperationTemplate[]; changes: TemplateChange[]; version: number } {
  const before = new Map(previous?.templates.map((template) => [template.id, template]))
  const version = (previous?.version ?? 0) + 1
  const froms = previous ? fromsOf(previous.templates, found, kept) : new Map<string, Set<string>>()
  const changes: TemplateChange[] = []
  const tell = (change: TemplateChange['change'], id: string) =>
    changes.push({ change, id, from: [...(froms.get(id) ?? [])].filter((from) => from !== id).sort() })
  const templates = found.map((template): OperationTemplate => {
    const earlier = before.get(template.id)
    before.delete(template.id)
    if (earlier && earlier.path === template.path)
      return { ...template, version: earlier.version, since: earlier.since }
    tell(earlier ? 'changed' : 'new', template.id)
    return { ...template, version: (earlier?.version ?? 0) + 1, since: earlier?.since ?? version }
  })
  for (const id of before.keys()) tell('gone', id)
  if (previous && changes.length === 0) return { templates, changes, version: previous.version }
  return { templates, changes, version }
}

/** For each template the earlier ones that its paths had. */
function fromsOf(
  earlier: readonly OperationTemplate[],
  found: readonly OperationTemplate[],
  kept: readonly SeenPath[],
): Map<string, Set<string>> {
  const matcherOf = (templates: readonly OperationTemplate[]) =>
    new Matcher(
      templates.map(({ id, method, operation, segments }) => ({
        id,
        method: methodOf({ method, operation }),
        rows: [],
        segments: segments.map((parts) =>
          parts.map((part) => ('literal' in part ? part : { kind: part.kind, divisible: true })),
        ),
      })),
    )
  const [was, is] = [matcherOf(earlier), matcherOf(found)]
  const froms = new Map<string, Set<string>>()
  for (const path of kept) {
    const id = is.match(path)?.form.id
    const from = was.match(path)?.form.id
    if (id === undefined || from === undefined) continue
    froms.set(id, (froms.get(id) ?? new Set()).add(from))
  }
  return froms
}
