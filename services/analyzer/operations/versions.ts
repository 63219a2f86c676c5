import type { OperationTemplate, TemplateChange } from '../../model/template.ts'
import type { Learned } from './learn.ts'
import { formOf, Matcher } from './matcher.ts'
import type { SeenPath } from './rows.ts'

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
    const firstSeen = earliest(template.firstSeen, earlier?.firstSeen ?? '')
    if (earlier && earlier.path === template.path)
      return { ...template, firstSeen, version: earlier.version, since: earlier.since }
    tell(earlier ? 'changed' : 'new', template.id)
    return { ...template, firstSeen, version: (earlier?.version ?? 0) + 1, since: earlier?.since ?? version }
  })
  for (const id of before.keys())
    changes.push({ change: 'gone', id, from: [...froms].flatMap(([now, was]) => (was.has(id) ? [now] : [])).sort() })
  if (previous && changes.length === 0) return { templates, changes, version: previous.version }
  return { templates, changes, version }
}

const earliest = (a: string, b: string) => (a === '' || (b !== '' && b < a) ? b : a)

/** For each template the earlier ones that its paths had. */
function fromsOf(
  earlier: readonly OperationTemplate[],
  found: readonly OperationTemplate[],
  kept: readonly SeenPath[],
): Map<string, Set<string>> {
  const [was, is] = [new Matcher(earlier.map(formOf)), new Matcher(found.map(formOf))]
  const froms = new Map<string, Set<string>>()
  for (const path of kept) {
    const id = is.match(path)?.form.id
    const from = was.match(path)?.form.id
    if (id === undefined || from === undefined) continue
    froms.set(id, (froms.get(id) ?? new Set()).add(from))
  }
  return froms
}
