import type { TemplatePart } from '../../model/template.ts'

/** Segments that may stand beside `{*}`: RFC 3986's pchar without `*` (Istio's pkg/config/security, IsValidLiteral). */
const BESIDE_PARAMETER = /^[a-zA-Z0-9\-._~%!$&'()+,;:@=]+$/

/**
 * Why a path template of Istio's AuthorizationPolicy cannot say just what a template says; empty when it can. `{*}` is one
 * whole segment of any value, so that a parameter's kind is never said is not counted here: `widening` tells it.
 */
export function istioLimit(segments: readonly TemplatePart[][], equals: boolean, operation = ''): string {
  if (operation !== '')
    return 'the operation is named beside the path, and paths are all that is matched: others at this path are let in'
  if (segments.every((parts) => parts.every((part) => 'literal' in part))) return ''
  for (const [at, parts] of segments.entries()) {
    const [only] = parts
    if (parts.length > 1)
      return 'a parameter is a part of a segment, {*} is a whole one: any value of the segment is let in'
    if (!only || !('literal' in only)) continue
    const isTrailingSlash = only.literal === '' && at === segments.length - 1
    if (!isTrailingSlash && !BESIDE_PARAMETER.test(only.literal))
      return `the segment ${JSON.stringify(only.literal)} has characters that may not stand in a path template`
  }
  return equals ? "values contain '=', which {*} does not match in proxies with the template library of 2022" : ''
}
