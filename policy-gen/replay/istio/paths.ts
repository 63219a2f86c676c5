import { anyPathOf, exactPath, type PathMatcher, prefixPath, suffixPath, templatePath } from '../paths.ts'

/** Which of Istio's kinds a path of an AuthorizationPolicy is, its text alone decides. */
function pathMatcher(pattern: string): PathMatcher {
  if (isTemplate(pattern)) return templatePath(pattern)
  if (pattern === '*') return () => 'yes'
  if (pattern.startsWith('*')) return suffixPath(pattern.slice(1))
  if (pattern.endsWith('*')) return prefixPath(pattern.slice(0, -1))
  // `/a/*/b` comes here too: in the middle a star is a star.
  return exactPath(pattern)
}

export function isTemplate(pattern: string): boolean {
  return pattern.includes('{*}') || pattern.includes('{**}')
}

/** True when any of the patterns may match. */
export function anyPath(patterns: readonly string[]): PathMatcher {
  const exact = patterns.filter((pattern) => !pattern.includes('*'))
  return anyPathOf(exact, patterns.filter((pattern) => pattern.includes('*')).map(pathMatcher))
}
