import { parseAllDocuments, stringify } from 'yaml'
import type { EditableRule, Editor } from './editor.ts'

type Node = Record<string, unknown>
interface Policy {
  permissions: Node[]
  principals: { authenticated: { principal_name: { exact: string } } }[]
}
interface Part {
  proxies?: { namespace: string; selector: { app: string } }
  typed_config?: { rules: { policies: Record<string, Policy> } }
}

/** Rendered filters for HTTP, as the shared cases have them: ports, methods, and paths that are exact or templates. */
export const envoyRbac: Editor = {
  allows: ({ path }) => path.startsWith('2-enforce/'),
  open({ content }) {
    const parts = parseAllDocuments(content).map((document) => document.toJS() as Part)
    const callee = `${parts[0]?.proxies?.namespace}/${parts[0]?.proxies?.selector.app}`
    const policies = parts.flatMap(({ typed_config: config }) => Object.values(config?.rules.policies ?? {}))
    const rules = policies.map((policy) => ({
      callee,
      principals: policy.principals.map((one) => one.authenticated.principal_name.exact.slice('spiffe://'.length)),
      entries: policy.permissions.map(entryOf),
      policy,
    }))
    const save = () => {
      for (const { policy, principals, entries } of rules) {
        policy.principals = principals.map((principal) => ({
          authenticated: { principal_name: { exact: `spiffe://${principal}` } },
        }))
        policy.permissions = entries.map(permissionOf)
      }
      return parts.map((part) => stringify(part)).join('---\n')
    }
    return { rules, save }
  },
}

interface Leaf {
  destination_port?: number
  header?: { string_match: { exact: string } }
  url_path?: { path: { exact: string } }
  uri_template?: { typed_config: { path_template: string } }
}

function entryOf(permission: Node): EditableRule['entries'][number] {
  const entry: EditableRule['entries'][number] = { ports: [], methods: [], paths: [] }
  const set = permission['and_rules'] as { rules: Node[] }
  for (const rule of set.rules) {
    const list = ((rule['or_rules'] as { rules: Node[] } | undefined)?.rules ?? [rule]) as Leaf[]
    for (const leaf of list) {
      if (leaf.destination_port) entry.ports.push(String(leaf.destination_port))
      else if (leaf.header) entry.methods.push(leaf.header.string_match.exact)
      else if (leaf.url_path) entry.paths.push(leaf.url_path.path.exact)
      else entry.paths.push(leaf.uri_template?.typed_config.path_template.replaceAll('*', '{*}') ?? '')
    }
  }
  return entry
}

function permissionOf({ ports, methods, paths }: EditableRule['entries'][number]): Node {
  const any = (rules: Node[]) => ({ or_rules: { rules } })
  const rules = [
    any(ports.map((port) => ({ destination_port: Number(port) }))),
    any(methods.map((method) => ({ header: { name: ':method', string_match: { exact: method } } }))),
    any(paths.map(pathOf)),
  ]
  return { and_rules: { rules } }
}

function pathOf(path: string): Node {
  if (!path.includes('{*}')) return { url_path: { path: { exact: path } } }
  const type = 'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig'
  const typed_config = { '@type': type, path_template: path.replaceAll('{*}', '*') }
  return { uri_template: { name: 'envoy.path.match.uri_template.uri_template_matcher', typed_config } }
}
