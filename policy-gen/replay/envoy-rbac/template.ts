import { fail, type Reader } from '../fields.ts'
import { type PathMatcher, templatePath } from '../paths.ts'

/** Envoy's own check of a literal (uri_template_internal.cc): RFC 3986's pchar without `*`. */
const LITERAL = /^[a-zA-Z0-9\-._~%!$&'()+,;:@=]+$/

/**
 * A `path_template` of UriTemplateMatchConfig: `*` and `{name}` are one segment, `**` any rest, `{name=a/*}` is `a/*`.
 * A literal after the last operator's segment (`*.mp4`) is valid to Envoy and not evaluated.
 */
export function uriTemplate(text: string, reader: Reader): PathMatcher {
  const refuse = (why: string): never => fail(reader, `has the path template ${JSON.stringify(text)}: ${why}`)
  if (!/^\/[\x21-\x7e]*$/.test(text)) return refuse('it begins with "/" and is printable')
  const plain = text.replace(
    /\{[a-zA-Z][a-zA-Z0-9_]{0,15}(?:=([^{}]+))?\}/g,
    (_, match: string | undefined) => match ?? '*',
  )
  const segments = plain.slice(1).split('/')
  let rest = false
  let open = false
  for (const [at, segment] of segments.entries()) {
    const last = at === segments.length - 1
    if (segment === '*' || segment === '**') {
      if (rest) refuse('no operator may follow "**"')
      rest = segment === '**'
    } else if (/^\*{1,2}[^*]+$/.test(segment) && last && LITERAL.test(segment.replace(/^\*+/, ''))) open = true
    else if (!LITERAL.test(segment) && !(segment === '' && last))
      refuse(`the segment ${JSON.stringify(segment)} is none`)
  }
  if (open) return () => 'unknown'
  const named = segments.map((segment) => (/^\*{1,2}$/.test(segment) ? `{${segment}}` : segment))
  return templatePath(`/${named.join('/')}`)
}
