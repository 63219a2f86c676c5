import { expect, test } from 'vitest'
import { trustDomainsOf, underOneTrustDomain } from '../../services/model/trust-domain.ts'

const EAST = { cluster: 'east', names: ['east.example', 'old.example'] }
const WEST = { cluster: 'west', names: ['west.example', 'old.example'] }

test('aliases of a trust domain mean one', () => {
  const underOne = underOneTrustDomain([EAST])
  expect(underOne('old.example/ns/a/sa/b')).toBe('east.example/ns/a/sa/b')
  expect(underOne('east.example/ns/a/sa/b')).toBe('east.example/ns/a/sa/b')
  expect(underOne('other.example/ns/a/sa/b')).toBe('other.example/ns/a/sa/b')
  expect(underOne('old.example.evil/ns/a/sa/b')).toBe('old.example.evil/ns/a/sa/b')
  expect(underOne('')).toBe('')
})

test('a name that means another domain in another cluster is read as it is', () => {
  const underOne = underOneTrustDomain([EAST, WEST])
  expect(underOne('old.example/ns/a/sa/b')).toBe('old.example/ns/a/sa/b')
  // Each mesh takes the other's for its own: two workloads in two clusters.
  const each = underOneTrustDomain([
    { cluster: 'a', names: ['a.example', 'b.example'] },
    { cluster: 'b', names: ['b.example', 'a.example'] },
  ])
  expect(each('a.example/ns/a/sa/b')).toBe('a.example/ns/a/sa/b')
  expect(each('b.example/ns/a/sa/b')).toBe('b.example/ns/a/sa/b')
})

test('a callee has the trust domains of its cluster, where these are known', () => {
  expect(trustDomainsOf([EAST, WEST], 'west')).toEqual(WEST.names)
  expect(trustDomainsOf([EAST, WEST], '')).toEqual([])
  expect(trustDomainsOf([EAST], '')).toEqual(EAST.names)
  expect(trustDomainsOf([{ ...EAST, cluster: '' }], 'west')).toEqual(EAST.names)
  expect(trustDomainsOf([], 'east')).toEqual([])
})
