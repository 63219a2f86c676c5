import type { Condition } from '../../../services/model/permission.ts'
import { claimOf } from '../../grants/claims.ts'
import { isPrefix, type PathPattern, prefixOf } from '../../grants/pattern.ts'
import type { GrantProduct } from '../../grants/rules.ts'
import { cedarPattern, cedarString } from './text.ts'

/** What a product of ports, methods and paths asks of a request, one test a line; none where it asks for nothing. */
export function testsOf({ ports, methods, paths, notPaths }: GrantProduct): string[] {
  return [
    ...oneOf('context.port', ports.map(String)),
    ...(methods.length === 0 ? [] : ['context has method', ...oneOf('context.method', methods.map(cedarString))]),
    ...(paths.length === 0 ? [] : ['context has path', pathTest(paths)]),
    ...notPaths.map((path) => `!${pathTest([path])}`),
  ]
}

/** What conditions ask of the user, one test a line. */
export function userTestsOf(when: readonly Condition[]): string[] {
  if (when.length === 0) return []
  const tests = when.flatMap((condition) => {
    const values = condition.values.map(cedarString)
    if (claimOf(condition) === 'iss') return oneOf('context.user.issuer', values)
    return [`context.user.groups.containsAny([${values.join(', ')}])`]
  })
  return ['context has user', ...tests]
}

/** True for a path that is tested with `like`. */
export function isTemplate(path: PathPattern): boolean {
  return path.includes('{*}') || isPrefix(path)
}

function oneOf(attribute: string, values: readonly string[]): string[] {
  if (values.length === 0) return []
  return [values.length === 1 ? `${attribute} == ${values[0]}` : `[${values.join(', ')}].contains(${attribute})`]
}

function pathTest(paths: readonly PathPattern[]): string {
  const exact = paths.filter((path) => !isTemplate(path)).map(cedarString)
  const templates = paths.filter(isTemplate).map(templateTest)
  const all = [...oneOf('context.path', exact), ...templates]
  return all.length === 1 ? `(${all[0]})` : `(\n    ${all.join(' ||\n    ')}\n  )`
}

/**
 * `like`'s star also matches slashes and nothing at all. With as many slashes as the template has and no more, each star
 * stays in its own segment; what is left to exclude is each of them being empty. A tail has as many slashes as it likes.
 */
function templateTest(path: PathPattern): string {
  const like = (parts: readonly (string | null)[]) => `context.path like ${cedarPattern(parts)}`
  const texts = (isPrefix(path) ? prefixOf(path) : path).split('{*}')
  if (isPrefix(path)) return like(texts.flatMap((text) => [text, null]))
  const shape = (empty: number) => texts.flatMap((text, at) => (at === 0 ? [text] : [at === empty ? '' : null, text]))
  const slashes = path.split('/').length
  const deeper = Array.from({ length: slashes }, () => ['/', null]).flat()
  const empty = texts.slice(1).map((_, at) => shape(at + 1))
  const excluded = [deeper, ...empty].map((parts) => `!(${like(parts)})`)
  return `(${[like(shape(-1)), ...excluded].join(' && ')})`
}
