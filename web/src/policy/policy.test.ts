import fc from 'fast-check'
import { expect, test } from 'vitest'
import { describe as line, permissionRow } from './describe.ts'
import { verdicts } from './verdicts.ts'
import { tokens } from './yaml.ts'

test('colouring changes no text', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(
        tokens(text)
          .map((token) => token.text)
          .join(''),
      ).toBe(text)
    }),
  )
  expect(tokens('  - name: "a: b"')).toEqual([
    { kind: 'mark', text: '  - ' },
    { kind: 'key', text: 'name' },
    { kind: 'mark', text: ':' },
    { kind: 'text', text: ' "a: b"' },
  ])
})

test.each([
  ['shop/api', 'shop/api'],
  [{ namespace: 'shop', workload: 'api', principal: 'p' }, 'shop/api'],
  [{ principals: ['a', 'b'] }, 'a, b'],
  [{ methods: ['GET', 'HEAD'], paths: ['/a'] }, 'GET, HEAD /a'],
  [{ method: '', path: '/a' }, '/a'],
  [null, ''],
])('%j is written as %j', (value, text) => {
  expect(line(value)).toBe(text)
})

test('a permission of an unknown form is an empty row, not an error', () => {
  expect(permissionRow(undefined)).toMatchObject({ caller: '', callee: '', requests: 0 })
})

test('the outcomes of a replay add up to its requests', () => {
  const call = {
    source: '',
    destination: '',
    service_port: 0,
    workload_port: 0,
    method: '',
    path: '',
    first_seen: '',
    last_seen: '',
    reason: '',
  }
  const result = {
    window: { since: '', until: '' },
    requests: 100,
    still_allowed: 60,
    still_denied: 5,
    newly_denied: [
      { ...call, requests: 20 },
      { ...call, requests: 4 },
    ],
    newly_allowed: [{ ...call, requests: 1 }],
    uncertain: [{ ...call, requests: 10 }],
  }
  expect(verdicts(result).map(({ id, requests }) => [id, requests])).toEqual([
    ['newly_denied', 24],
    ['newly_allowed', 1],
    ['uncertain', 10],
    ['still_allowed', 60],
    ['still_denied', 5],
  ])
})
