import { hash32, type Random, uuid } from './random.ts'

/** Somebody at a browser or an app. */
export interface User {
  /** The `jwt` object of the access log, with its key: `"jwt":{…}`. */
  jwt: string
  /** Public address, IPv4 or IPv6, without brackets. */
  address: string
  agent: string
}

const ISSUER = 'https://login.shop.example/'
const STAFF_ISSUER = 'https://staff.shop.example/'
const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
  'Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0',
  'ShopApp/7.12.1 (Android 16; Pixel 9)',
  'ShopApp/7.12.0 (iOS 18.6; iPhone16,2)',
]

export const ANONYMOUS_JWT = '"jwt":{"acr":null,"groups":null,"iss":null,"sub":null}'

/** `count` customers, of whom some have a second factor. */
export function createCustomers(count: number, draw: Random): User[] {
  return Array.from({ length: count }, () => {
    const strong = draw() < 0.2
    const groups = draw() < 0.07 ? ['customers', 'business'] : ['customers']
    return createUser({ acr: strong ? 'urn:shop:acr:2' : 'urn:shop:acr:1', groups, iss: ISSUER, sub: uuid(draw) }, draw)
  })
}

/** Support and merchandising; a few of them are leads. */
export function createStaff(count: number, draw: Random): User[] {
  return Array.from({ length: count }, (_, i) => {
    const groups = ['staff', i % 3 === 0 ? 'merchandising' : 'support', ...(i % 10 === 0 ? ['leads'] : [])]
    const user = { acr: 'urn:shop:acr:3', groups, iss: STAFF_ISSUER, sub: `s-${1000 + i}@shop.example` }
    return { ...createUser(user, draw), address: `198.51.100.${10 + (i % 6)}` }
  })
}

/** Someone who is not signed in, at one of the documentation networks' addresses (RFC 5737, RFC 3849). */
export function createVisitors(count: number, draw: Random): User[] {
  return Array.from({ length: count }, () => ({ jwt: ANONYMOUS_JWT, address: address(draw), agent: agent(draw) }))
}

function createUser(claims: { acr: string; groups: string[]; iss: string; sub: string }, draw: Random): User {
  return { jwt: `"jwt":${JSON.stringify(claims)}`, address: address(draw), agent: agent(draw) }
}

function address(draw: Random): string {
  const host = 1 + Math.floor(draw() * 254)
  if (draw() < 0.12) return `2001:db8:${(hash32(String(host)) & 0xffff).toString(16)}::${host.toString(16)}`
  return `${draw() < 0.5 ? '203.0.113' : '192.0.2'}.${host}`
}

function agent(draw: Random): string {
  return AGENTS[Math.floor(draw() * AGENTS.length)] ?? ''
}
