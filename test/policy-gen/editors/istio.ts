import { parseAllDocuments, stringify } from 'yaml'
import type { EditableRule, Editor } from './editor.ts'

interface Rule {
  from: { source: { principals: string[] } }[]
  to: { operation: EditableRule['entries'][number] }[]
}
interface Policy {
  metadata: { namespace: string }
  spec: { selector: { matchLabels: { app: string } }; rules: Rule[] }
}

export const istio: Editor = {
  allows: ({ path }) => path.startsWith('1-allow/'),
  guards: ({ path }) => path.startsWith('4-guard/'),
  open({ content }) {
    const documents = parseAllDocuments(content).map((document) => document.toJS() as Policy)
    const rules = documents.flatMap(({ metadata, spec }) =>
      spec.rules.map((rule) => ({
        callee: `${metadata.namespace}/${spec.selector.matchLabels.app}`,
        principals: rule.from.flatMap(({ source }) => source.principals),
        entries: rule.to.map(({ operation }) => operation),
        rule,
      })),
    )
    const save = () => {
      for (const { rule, principals } of rules) rule.from = [{ source: { principals } }]
      return documents.map((document) => stringify(document)).join('---\n')
    }
    return { rules, save }
  },
}
