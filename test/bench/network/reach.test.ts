import { expect, test } from 'vitest'
import { whatIsMissing } from './reach.ts'

const measured = { perSecond: 120_000, asked: 150_000, per1000Ms: 12, processors: 2, parts: [] }

test('a figure that is reached lacks nothing', () => {
  expect(whatIsMissing({ ...measured, perSecond: 150_000 })).toBeUndefined()
})

test('where processors waited, it is said what would be if they had not', () => {
  expect(whatIsMissing(measured)).toBe(
    'not reached: 1,000 take 12.00 ms, 1.44 of 2 processors were busy; that would do for 166,667/s if no processor waited',
  )
})

test('where records cost too much, it is said how much has to go, and what costs most', () => {
  const parts: [string, number][] = [
    ['checks', 0.1],
    ['engine: parsing', 3],
    ['unpacking', 1],
    ['engine: views', 4],
    ['spool', 0.5],
  ]
  expect(whatIsMissing({ ...measured, per1000Ms: 16, parts })).toBe(
    'not reached: 1,000 take 16.00 ms, 1.92 of 2 processors were busy; at 150,000/s there are 13.33 ms, so 2.67 ms have to go. ' +
      'The largest parts, alone: engine: views 4.00 ms; engine: parsing 3.00 ms; unpacking 1.00 ms; spool 0.50 ms',
  )
})
