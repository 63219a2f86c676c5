/**
 * Characters that drive a terminal or reorder what it shows: control characters but for newlines and tabs, separators of
 * lines, and the marks that change the direction of text. Names come from telemetry, which anybody may have written.
 */
const DRIVING = /(?![\n\t])[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\ufeff]/gu

const hex = (character: string, digits: number) => character.charCodeAt(0).toString(16).padStart(digits, '0')
const escaped = (character: string) => (character < '\u0100' ? `\\x${hex(character, 2)}` : `\\u${hex(character, 4)}`)

/** One value as it can stand in a line: nothing in it drives the terminal or begins a line of its own. */
export const printable = (value: string) => value.replace(/[\n\t]/g, escaped).replace(DRIVING, escaped)

/** A whole text as it can be shown, with its own line breaks. */
export const printableText = (text: string) => text.replace(DRIVING, escaped)

/** A JSON document that means the same and drives no terminal: JSON.stringify escapes only the control characters up to U+001F. */
export const printableJson = (json: string) => json.replace(DRIVING, (character) => `\\u${hex(character, 4)}`)
