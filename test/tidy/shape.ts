import ts from 'typescript'
import { isTest, type SourceFile, scriptOf } from './files.ts'

export const FILE_LINES_MAX = 400
export const FUNCTION_LINES_MAX = 70

/** Files that are too long to read at once. */
export function longFile({ path, text }: SourceFile): string[] {
  const lines = text.split('\n').length
  if (!/\.(ts|svelte|sql)$/.test(path) || lines < FILE_LINES_MAX) return []
  return [`${path} has ${lines} lines, ${FILE_LINES_MAX} is too many: split it by what its parts are about`]
}

/** Functions that are too long, and catch blocks that swallow. A test's `describe` is a heading and not counted. */
export function badFunctions(file: SourceFile): string[] {
  const source = ts.createSourceFile(file.path, scriptOf(file), ts.ScriptTarget.Latest, true)
  const line = (position: number) => source.getLineAndCharacterOfPosition(position).line + 1
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body && !isHeading(file, node)) {
      const lines = line(node.end) - line(node.getStart()) + 1
      if (lines >= FUNCTION_LINES_MAX)
        found.push(
          `${file.path}:${line(node.getStart())} ${nameOf(node)} has ${lines} lines: give its steps names of their own`,
        )
    }
    if (ts.isCatchClause(node) && node.block.statements.length === 0 && !/\/[/*]/.test(node.block.getText())) {
      found.push(
        `${file.path}:${line(node.getStart())} catches and forgets: handle the error, or say in a comment why it does not matter`,
      )
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function nameOf(node: ts.SignatureDeclaration): string {
  const named = node.name ?? (ts.isVariableDeclaration(node.parent) ? node.parent.name : undefined)
  return named ? named.getText() : 'a function'
}

function isHeading(file: SourceFile, node: ts.Node): boolean {
  return isTest(file) && ts.isCallExpression(node.parent) && /^describe\b/.test(node.parent.expression.getText())
}
