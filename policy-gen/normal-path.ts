/**
 * How Envoy writes a path before anything matches it, with Istio's default `pathNormalization: BASE` (`normalize_path`).
 * The lab's Envoy is asked the same in `test/lab/decisions.test.ts`.
 *
 * Not applied by BASE, so kept as sent: `//`, `%2f`, `%5c`, the case of escapes, escapes that are none (`%zz`), `;a=b`.
 */

/** What RFC 3986 calls unreserved: its escapes mean the same character and are decoded. */
const UNRESERVED_ESCAPE = /%(?:2[dD]|2[eE]|3[0-9]|4[1-9a-fA-F]|5[0-9aA]|5[fF]|6[1-9a-fA-F]|7[0-9aA]|7[eE])/g
/** Printable characters that a path may not have: they are escaped. */
const ESCAPED = /["<>^`{|}]/g

/** A percent sign that begins no escape. */
const BARE_PERCENT = /%(?![0-9a-fA-F]{2})/g

/** One segment's characters as the proxy compares them. */
export function normalSegment(text: string): string {
  // `%4%30` must not become the escape `%40`: where decoding would form one, the bare percent sign is escaped.
  const marked = text.replace(BARE_PERCENT, '\0')
  return marked
    .replace(UNRESERVED_ESCAPE, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)))
    .replace(ESCAPED, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/\0(?=[0-9a-fA-F]{2})/g, '%25')
    .replaceAll('\0', '%')
}

/** `..;x=1` goes up as `..` does: what follows the semicolon is dropped with it, up to the next slash. */
const DOT_PARAMETER = /([/\\])((?:\.|%2e){1,2});[^/]*/gi

/**
 * A path without its query as the proxy compares it: characters as above, a backslash is a slash, dot segments (also
 * escaped ones, also with a matrix parameter) are resolved.
 *
 * @returns null when Envoy answers 400 before it decides anything (no absolute path, a `#`, `%00`, or a byte that is not
 * printable ASCII), or when it is not known (a backslash in a dot segment's parameter: Envoy treats `.` and `..` unlike)
 */
export function normalPath(path: string): string | null {
  if (!path.startsWith('/') || /[^\x21-\x7e]|#/.test(path)) return null
  const plain = path.replace(DOT_PARAMETER, (whole, slash, dots) =>
    whole.slice(1).includes('\\') ? '#' : slash + dots,
  )
  if (plain.includes('#')) return null
  const kept: string[] = []
  const segments = plain.replaceAll('\\', '/').slice(1).split('/').map(normalSegment)
  for (const [index, segment] of segments.entries()) {
    if (segment.includes('%00')) return null
    if (segment !== '.' && segment !== '..') {
      kept.push(segment)
      continue
    }
    if (segment === '..') kept.pop()
    // What a dot segment at the end names is a directory: its slash stays.
    if (index === segments.length - 1) kept.push('')
  }
  return `/${kept.join('/')}`
}
