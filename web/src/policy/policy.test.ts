import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Permission } from '../../../services/model/permission.ts'
import { lossRow, permissionRow } from './rows.ts'
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

test('a permission says what was assumed and what is not limited', () => {
  const workload = { cluster: 'c', namespace: 'shop', workload: 'api' }
  const permission: Permission = {
    effect: 'allow',
    callee: {
      ...workload,
      members: [],
      selector: {},
      selectorBasis: 'inventory',
      plaintextRequests: 0,
      mutualTlsSeen: true,
    },
    caller: { principal: 'cluster.local/ns/shop/sa/web', basis: 'assumed', workloads: [] },
    port: 8080,
    operation: { method: '', path: '', flags: [] },
    conditions: [],
    granularity: 'port',
    widened: [],
    evidence: {
      first_seen: '',
      last_seen: '',
      days: 2,
      requests: 7,
      strength: 'claimed',
      reporters: [],
      plaintext_requests: 0,
    },
  }
  expect(permissionRow(permission)).toMatchObject({
    caller: 'cluster.local/ns/shop/sa/web (assumed)',
    callee: 'shop/api',
    operation: 'any',
    requests: 7,
  })
})

test('a loss is told in one text, whether it comes in parts or whole', () => {
  const parts = {
    caller: 'shop/web',
    callee: 'shop/api',
    port: 80,
    method: 'GET',
    path: '/a',
    detail: 'No =.',
    done: 'widened',
    requests: 3,
  }
  expect(lossRow(parts)).toEqual({
    subject: 'shop/web → shop/api port 80 GET /a',
    what: 'No =.',
    done: 'widened',
    requests: 3,
  })
  expect(lossRow({ subject: 's', what: 'w', done: 'd' })).toEqual({ subject: 's', what: 'w', done: 'd', requests: 0 })
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
    requests: 107,
    still_allowed: 60,
    still_denied: 5,
    newly_denied: [
      { ...call, requests: 20 },
      { ...call, requests: 4 },
    ],
    newly_allowed: [{ ...call, requests: 1 }],
    uncertain: [{ ...call, requests: 10 }],
    denied_not_found: [{ ...call, requests: 7 }],
    refused: [{ ...call, requests: 5, evidence: 'verified' as const, days: 2 }],
    declared: { allowed: 0, not_allowed: [], expired: [] },
  }
  expect(verdicts(result).map(({ id, requests }) => [id, requests])).toEqual([
    ['newly_denied', 24],
    ['denied_not_found', 7],
    ['newly_allowed', 1],
    ['uncertain', 10],
    ['still_allowed', 60],
    ['still_denied', 5],
  ])
})
