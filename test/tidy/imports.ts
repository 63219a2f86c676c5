import { dirname, join } from 'node:path/posix'
import ts from 'typescript'
import { isCode, type SourceFile, scriptOf } from './files.ts'

export interface Import {
  /** Path in the repository for local files, else the package's name (`node:fs`, `@clickhouse/client`, `chdb/connection`). */
  to: string
  local: boolean
  /** True when nothing of it is there at run time. */
  typeOnly: boolean
}

/** What a file imports: declarations, re-exports, `import()` and `createRequire(…)('…')`. */
export function importsOf(file: SourceFile): Import[] {
  const found: Import[] = []
  const add = (specifier: ts.Expression | undefined, typeOnly: boolean) => {
    if (!specifier || !ts.isStringLiteral(specifier)) return
    const local = specifier.text.startsWith('.')
    found.push({ to: local ? join(dirname(file.path), specifier.text) : specifier.text, local, typeOnly })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node))
    if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
    if (ts.isCallExpression(node) && isLoading(node)) add(node.arguments[0], false)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file.path, scriptOf(file), ts.ScriptTarget.Latest, true))
  return found
}

/** With `verbatimModuleSyntax`, `import { type A } from 'x'` still loads x; biome's style turns it into `import type`. */
function isTypeOnly(node: ts.ImportDeclaration): boolean {
  return node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
}

function isLoading(call: ts.CallExpression): boolean {
  if (call.expression.kind === ts.SyntaxKind.ImportKeyword) return true
  const callee = ts.isParenthesizedExpression(call.expression) ? call.expression.expression : call.expression
  return ts.isIdentifier(callee)
    ? callee.text === 'require'
    : ts.isCallExpression(callee) && callee.expression.getText() === 'createRequire'
}

/** The layers, from the ground up: a file in a folder may import these folders, and nothing else of the repository. */
const LAYERS: [folder: string, ...mayImport: string[]][] = [
  ['services/model/'],
  ['services/store/', 'services/model/'],
  ['services/collector/', 'services/store/', 'services/model/'],
  ['services/analyzer/', 'services/store/', 'services/model/'],
  // It knows what the collector tells (a type), and nobody below knows it: figures are pushed to it.
  ['services/telemetry/', 'services/collector/observe.ts'],
  ['policy-gen/', 'services/model/'],
  [
    'services/api/',
    'services/telemetry/',
    'services/collector/',
    'services/analyzer/',
    'services/store/',
    'services/model/',
    'policy-gen/',
  ],
  ['services/cli/', 'services/', 'policy-gen/'],
  ['web/src/', 'services/model/'],
]

/** Packages that a folder must not know; the pure ones know none but these. */
const PURE: Record<string, RegExp> = {
  'services/model/': /^$/,
  'policy-gen/': /^(yaml|node:crypto|node:module|@cedar-policy\/cedar-wasm\/nodejs)$/,
}
const STORE_ONLY = /^(@clickhouse\/|chdb$|chdb\/)/
const TELEMETRY_ONLY = /^@opentelemetry\//

/** Imports against the direction of the layers, each as a sentence that says what is allowed. */
export function wrongImports(file: SourceFile): string[] {
  const layer = LAYERS.find(([folder]) => file.path.startsWith(folder))
  if (!layer || !isCode(file) || file.path.endsWith('.test.ts')) return []
  const [folder, ...others] = layer
  return importsOf(file).flatMap(({ to, local, typeOnly }) => {
    if (local)
      return [folder, ...others].some((allowed) => to.startsWith(allowed))
        ? []
        : [`${file.path} imports ${to}: ${folder} may import ${others.join(', ') || 'nothing outside'}`]
    const pure = PURE[folder]
    if (pure && !pure.test(to)) return [`${file.path} imports ${to}: ${folder} is pure; pass in what it needs`]
    if (STORE_ONLY.test(to) && !typeOnly && folder !== 'services/store/')
      return [`${file.path} imports ${to}: only services/store/ talks to ClickHouse; add a query there`]
    if (TELEMETRY_ONLY.test(to) && folder !== 'services/telemetry/')
      return [
        `${file.path} imports ${to}: only services/telemetry/ knows the SDK; call the Observer of collector/observe.ts`,
      ]
    return []
  })
}

/** Files of services/ and policy-gen/ that nothing reaches from `entries`, tests not counted. */
export function deadFiles(files: SourceFile[], entries: string[]): string[] {
  const code = new Map(files.filter(isCode).map((file) => [file.path, file]))
  const reached = new Set<string>()
  const queue = [...entries, ...[...code.keys()].filter((path) => path.startsWith('web/src/'))]
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const file = code.get(path)
    if (!file || reached.has(path)) continue
    reached.add(path)
    queue.push(
      ...importsOf(file)
        .filter(({ local }) => local)
        .map(({ to }) => to),
    )
  }
  return [...code.keys()].filter(
    (path) => /^(services|policy-gen)\//.test(path) && !path.endsWith('.test.ts') && !reached.has(path),
  )
}
