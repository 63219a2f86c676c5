import { Document } from 'yaml'

/**
 * YAML documents for people to review: one value a line, long ones not folded, nothing shared by anchors. Words that YAML
 * 1.1 takes for something else (`on`, `1_0`, `~`) are quoted: Kubernetes and Envoy read that version.
 *
 * @param comment lines of printable ASCII for the head of the file
 */
export function yamlOf(documents: readonly unknown[], comment: readonly string[] = []): string {
  const options = { aliasDuplicateObjects: false, compat: 'yaml-1.1' } as const
  const head = comment.map((line) => `# ${line}\n`).join('')
  return head + documents.map((value) => new Document(value, options).toString({ lineWidth: 0 })).join('---\n')
}
