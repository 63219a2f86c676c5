import { fail, field, optionalRecord, type Reader, stringMap } from '../fields.ts'

/** `selector.matchLabels`; undefined when there is no selector, which means every workload. */
export function readSelector(value: unknown, reader: Reader): Record<string, string> | undefined {
  const selector = optionalRecord(value, field(reader, 'selector'), ['matchLabels'])
  if (!selector) return undefined
  const at = field(reader, 'selector.matchLabels')
  const { matchLabels } = selector
  const labels = stringMap(matchLabels, at)
  for (const [key, text] of Object.entries(labels)) {
    if (key === '') fail(at, 'has an empty key')
    if (key.includes('*') || text.includes('*')) fail(at, 'has a wildcard, which selectors do not take')
  }
  return labels
}
