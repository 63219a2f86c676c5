/** A Cedar string literal. What is not printable ASCII becomes an escape: no text ends the literal, or its line. */
export function cedarString(text: string): string {
  return `"${escaped(text)}"`
}

/** A pattern for `like`, of texts that stand for themselves and `null` for its wildcard. */
export function cedarPattern(parts: readonly (string | null)[]): string {
  return `"${parts.map((part) => (part === null ? '*' : escaped(part).replaceAll('*', '\\*'))).join('')}"`
}

function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(/["\\]/g, '\\$&')
    .replace(/[^\x20-\x7e]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}
