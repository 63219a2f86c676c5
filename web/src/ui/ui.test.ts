import { expect, test } from 'vitest'
import { plural, time } from './format.ts'
import { nextSorting, sortRows } from './table.ts'

const columns = [
  { key: 'name', title: 'Name', value: (row: { name: string; size: number }) => row.name },
  { key: 'size', title: 'Size', value: (row: { name: string; size: number }) => row.size, numeric: true },
]
const rows = [
  { name: 'v10', size: 2 },
  { name: 'v2', size: 10 },
  { name: 'v1', size: 2 },
]

test('numbers sort by size, names as people count, equal rows stay', () => {
  const names = (key: string, descending: boolean) =>
    sortRows(rows, columns, { key, descending }).map((row) => row.name)
  expect(names('size', true)).toEqual(['v2', 'v10', 'v1'])
  expect(names('name', false)).toEqual(['v1', 'v2', 'v10'])
  expect(names('unknown', false)).toEqual(['v10', 'v2', 'v1'])
})

test('a head sorts numbers from the largest, then turns around', () => {
  const [name, size] = columns as [(typeof columns)[0], (typeof columns)[0]]
  const first = nextSorting({ key: 'name', descending: false }, size)
  expect(first).toEqual({ key: 'size', descending: true })
  expect(nextSorting(first, size)).toEqual({ key: 'size', descending: false })
  expect(nextSorting(first, name)).toEqual({ key: 'name', descending: false })
})

test('times are UTC, and a missing one is a dash', () => {
  expect(time('2026-01-31T23:58:40+01:00')).toBe('2026-01-31 22:58')
  for (const none of ['', null, undefined, 'soon']) expect(time(none)).toBe('–')
  expect([plural(1, 'call'), plural(2000, 'identity', 'identities')]).toEqual(['1 call', '2,000 identities'])
})
