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

/** Templates that are kept in memory, of the callees that were asked for last: one takes 1 to 2 KB. */
const KEPT_MAX = 100_000

/** Reads templates, and keeps them in memory until they are learned anew. */
export function createStoredTemplates(store: Store): StoredTemplates {
  const known = new Map<string, Known>()
  return async (callees) => {
    const asked = [...new Set(callees)]
    const sets = new Map((await readTemplateSets(store.reads, asked)).map((set) => [set.callee, set.written]))
    const changed = asked.filter((callee) => sets.has(callee) && known.get(callee)?.written !== sets.get(callee))
    const rows = Map.groupBy(await readTemplates(store.reads, changed), ({ callee }) => callee)
    const answer = new Map<string, TemplateOf>()
    for (const callee of asked) {
      const written = sets.get(callee)
      if (written === undefined) continue
      const before = known.get(callee)
      const own = rows.get(callee) ?? []
      const now =
        before?.written === written ? before : { written, templateOf: templatesOf(own), templates: own.length }
      answer.set(callee, now.templateOf)
      // Asked for last, it goes last.
      known.delete(callee)
      known.set(callee, now)
    }
    forget(known)
    return answer
  }
}

interface Known {
  written: number
  templateOf: TemplateOf
  templates: number
}

function forget(known: Map<string, Known>): void {
  let kept = [...known.values()].reduce((sum, { templates }) => sum + templates, 0)
  for (const [callee, { templates }] of known) {
    if (kept <= KEPT_MAX) return
    kept -= templates
    known.delete(callee)
  }
}

function templatesOf(rows: Parameters<typeof formOfRow>[0][]): TemplateOf {
  const byId = new Map(rows.filter(({ role }) => role === 'template').map((row) => [row.id, templateOfRow(row)]))
  const matcher = new Matcher(rows.map((row) => formOf(formOfRow(row))))
  return (seen) => byId.get(matcher.match(seen)?.form.id ?? '')
}
