/** How objects of any shape are read: what is not there, or not what it should be, is empty. */

export type Fields = Record<string, unknown>

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
export const fields = (value: unknown): Fields => (isFields(value) ? value : {})
export const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
export const text = (value: unknown): string =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
export const port = (value: unknown): number =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65536 ? value : 0
