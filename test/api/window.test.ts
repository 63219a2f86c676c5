import { describe, expect, test } from 'vitest'
import { resolveWindow } from '../../services/api/window.ts'

const STORED = { since: '2026-11-01T00:00:00Z', until: '2026-11-15T00:00:00Z' }
const NOW = Date.parse('2026-11-22T10:30:00Z')
const resolve = (since?: string, until?: string, stored: typeof STORED | undefined = STORED) =>
  Object.values(resolveWindow({ since, until }, stored, NOW)).join(' ')

describe('a window in whole hours', () => {
  test.each([
    ['all that is stored', undefined, undefined, '2026-11-01T00:00:00Z 2026-11-15T00:00:00Z'],
    [
      'its start rounded down, its end up',
      '2026-11-02T10:59:59.9Z',
      '2026-11-02T11:00:01Z',
      '2026-11-02T10:00:00Z 2026-11-02T12:00:00Z',
    ],
    [
      'whole hours as they are',
      '2026-11-02T10:00:00Z',
      '2026-11-02T11:00:00Z',
      '2026-11-02T10:00:00Z 2026-11-02T11:00:00Z',
    ],
    ['days', '2026-11-02', '2026-11-03', '2026-11-02T00:00:00Z 2026-11-03T00:00:00Z'],
    ['another zone', '2026-11-02T10:00:00+02:00', '2026-11-02T10:00:00Z', '2026-11-02T08:00:00Z 2026-11-02T10:00:00Z'],
    ['no zone is UTC', '2026-11-02T10:00', '2026-11-02T11:00', '2026-11-02T10:00:00Z 2026-11-02T11:00:00Z'],
    ['spans back from now', '36h', '1h', '2026-11-20T22:00:00Z 2026-11-22T10:00:00Z'],
    ['minutes, days and weeks', '2w', '30m', '2026-11-08T10:00:00Z 2026-11-22T10:00:00Z'],
    ['a start behind all that is stored: nothing', '24h', undefined, '2026-11-21T10:00:00Z 2026-11-21T11:00:00Z'],
    ['an end before all that is stored: nothing', undefined, '2026-10-01', '2026-09-30T23:00:00Z 2026-10-01T00:00:00Z'],
    [
      'an end at the start of all that is stored: nothing',
      undefined,
      '2026-11-01',
      '2026-10-31T23:00:00Z 2026-11-01T00:00:00Z',
    ],
    ['the first hour of all', undefined, '1970-01-01', '1970-01-01T00:00:00Z 1970-01-01T01:00:00Z'],
  ])('%s', (_, since, until, expected) => expect(resolve(since, until)).toBe(expected))

  test('an empty store', () => {
    expect(Object.values(resolveWindow({}, undefined, NOW)).join(' ')).toBe('1970-01-01T00:00:00Z 1970-01-01T01:00:00Z')
  })

  test('another time zone of the process changes nothing', () => {
    const before = process.env['TZ']
    process.env['TZ'] = 'America/New_York'
    try {
      expect(resolve('2026-11-02T10:00', '2026-11-03')).toBe('2026-11-02T10:00:00Z 2026-11-03T00:00:00Z')
    } finally {
      if (before === undefined) delete process.env['TZ']
      else process.env['TZ'] = before
    }
  })

  test.each([
    'yesterday',
    '24',
    '24H',
    '-24h',
    '9999999h',
    '999999d',
    '2026-13-01',
    '2026-02-30',
    '2026-02-30T00:00:00Z',
    '2026-11-02 (a comment)',
    '2026-11-02 10:00:00',
    '2026-11-02T25:00:00Z',
    '1969-12-31T23:59:59Z',
    '2106-01-01',
    "2026-11-02'; DROP TABLE request",
  ])('%j is no time', (text) => {
    const error = expect.objectContaining({ code: 'bad_time', next: expect.stringContaining('ISO 8601') })
    expect(() => resolve(text)).toThrow(error)
    expect(() => resolve(undefined, text)).toThrow(error)
  })

  test.each([
    ['2026-11-02', '2026-11-02'],
    ['2026-11-02', '2026-11-01'],
    ['1h', '2h'],
  ])('%s to %s ends before it starts', (since, until) => {
    expect(() => resolve(since, until)).toThrow(expect.objectContaining({ code: 'bad_time' }))
  })
})
