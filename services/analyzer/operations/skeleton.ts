import type { Lexicon } from './rows.ts'

/** A parameter in a sequence of tokens: one that starts a segment, and one that goes on with it. The masks of `Lexicon`. */
export const PARAMETER = 0
export const JOINED_PARAMETER = 1
/** All that follows, of whatever depth. */
export const TAIL = 2

/** Tokens as a path, all parameters as `{}`, those that touch each other as one. */
export function skeleton(tokens: readonly number[], lexicon: Lexicon): string {
  const text = (token: number) => {
    if (token === PARAMETER) return '/{}'
    if (token === TAIL) return '/{**}'
    if (token === JOINED_PARAMETER) return '{}'
    return lexicon.isJoined(token) ? lexicon.text(token).slice(1) : lexicon.text(token)
  }
  return tokens
    .map(text)
    .join('')
    .replace(/(?:\{\})+/g, '{}')
}
