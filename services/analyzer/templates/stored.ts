import type { OperationTemplate } from '../../model/template.ts'
import { readTemplateSets, readTemplates } from '../../store/queries/templates.ts'
import type { Store } from '../../store/store.ts'
import { formOf, Matcher } from '../operations/matcher.ts'
import type { SeenPath } from '../operations/rows.ts'
import { formOfRow, templateOfRow } from './records.ts'

/** The template of a path of a callee, by names before parameters. */
export type TemplateOf = (seen: Pick<SeenPath, 'method' | 'operation' | 'path'>) => OperationTemplate | undefined

/** Gives the stored templates of some callees; one that nothing was learned of is missing. */
export type StoredTemplates = (callees: readonly string[]) => Promise<ReadonlyMap<string, TemplateOf>>

/** Reads templates, and keeps them in memory until they are learned anew. */
export function createStoredTemplates(store: Store): StoredTemplates {
  const known = new Map<string, { written: number; templateOf: TemplateOf }>()
  return async (callees) => {
    const asked = [...new Set(callees)]
    const sets = new Map((await readTemplateSets(store.reads, asked)).map((set) => [set.callee, set.written]))
    const changed = asked.filter((callee) => sets.has(callee) && known.get(callee)?.written !== sets.get(callee))
    const rows = Map.groupBy(await readTemplates(store.reads, changed), ({ callee }) => callee)
    for (const callee of changed)
      known.set(callee, { written: sets.get(callee) ?? 0, templateOf: templatesOf(rows.get(callee) ?? []) })
    return new Map(asked.flatMap((callee) => entry(callee, sets.has(callee) ? known.get(callee) : undefined)))
  }
}

const entry = (callee: string, found: { templateOf: TemplateOf } | undefined): [string, TemplateOf][] =>
  found ? [[callee, found.templateOf]] : []

function templatesOf(rows: Parameters<typeof formOfRow>[0][]): TemplateOf {
  const byId = new Map(rows.filter(({ role }) => role === 'template').map((row) => [row.id, templateOfRow(row)]))
  const matcher = new Matcher(rows.map((row) => formOf(formOfRow(row))))
  return (seen) => byId.get(matcher.match(seen)?.form.id ?? '')
}
