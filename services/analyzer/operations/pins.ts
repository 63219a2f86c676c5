import type { Pin } from '../../model/template.ts'
import type { Node } from './cells.ts'
import type { Lexicon } from './rows.ts'

/**
 * Puts a person's word over what the counts say at one node.
 *
 * @param prefix the path up to the node, parameters as `{}`
 * @returns whether what is a value here is one however few there are
 */
export function applyPins({ byToken }: Node, prefix: string, lexicon: Lexicon, pins: readonly Pin[]): boolean {
  const here = pins.filter(({ at }) => at.slice(0, at.lastIndexOf('/')) === prefix)
  const isAt = (pin: Pin, token: number, method: string) =>
    (pin.method === undefined || pin.method === method) &&
    (pin.kind === 'merge'
      ? pin.at.endsWith('/{}') && !lexicon.isJoined(token)
      : pin.at === prefix + lexicon.text(token))
  let merged = false
  for (const kind of ['merge', 'split'] as const)
    for (const pin of here.filter((one) => one.kind === kind))
      for (const [token, entries] of byToken)
        for (const entry of entries) {
          if (lexicon.fixed[token] || !isAt(pin, token, entry.rows[0]?.seen.method ?? '')) continue
          entry.verdict = kind === 'merge' ? 'value' : 'literal'
          merged ||= kind === 'merge'
        }
  return merged
}
