import { fail, type Reader } from '../fields.ts'
import { isTemplate } from './paths.ts'

/** Istio's own check of a template's literals (pkg/config/security, IsValidLiteral). */
const TEMPLATE_LITERAL = /^[a-zA-Z0-9\-._~%!$&'()+,;:@=]+$/

/** Braces outside of `{*}` and `{**}`, and what a template may not have, are refused by Istio's validation. */
export function checkPath(path: string, reader: Reader): void {
  const template = isTemplate(path)
  let open = false
  for (const part of path.replace(/^\/+|\/+$/g, '').split('/')) {
    if (part === '{*}' || part === '{**}') {
      if (open) fail(reader, `has ${JSON.stringify(path)}: {**} must be the last operator`)
      open = part === '{**}'
      continue
    }
    if (/[{}]/.test(part))
      fail(reader, `has ${JSON.stringify(path)}: braces stand only as {*} or {**}, a whole segment`)
    if (template && !TEMPLATE_LITERAL.test(part)) {
      fail(reader, `has ${JSON.stringify(path)}: a template cannot have the segment ${JSON.stringify(part)}`)
    }
  }
  if (template && !path.startsWith('/')) fail(reader, `has ${JSON.stringify(path)}: a template begins with "/"`)
}

export function checkPort(port: string, reader: Reader): void {
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) > 65535) fail(reader, `has the bad port ${JSON.stringify(port)}`)
}

export function checkServiceAccount(name: string, reader: Reader): void {
  if (name.includes('*') || name.length > 320 || name.split('/').length > 2) {
    fail(reader, `has ${JSON.stringify(name)}; write "name" or "namespace/name", without a star`)
  }
}

const KEYS = new Set([
  'source.ip',
  'remote.ip',
  'source.namespace',
  'source.serviceAccount',
  'source.principal',
  'source.trustDomain',
  'request.auth.principal',
  'request.auth.audiences',
  'request.auth.presenter',
  'destination.ip',
  'destination.port',
  'connection.sni',
])
const MAP_KEYS = ['request.headers', 'request.auth.claims', 'experimental.envoy.filters.']

export function checkCondition(key: string, values: string[], reader: Reader): void {
  const map = MAP_KEYS.some((prefix) => key.startsWith(prefix))
  if (map ? !/^[^[]+\[.+\]$/.test(key) : !KEYS.has(key)) {
    const valid = [...KEYS, ...MAP_KEYS.map((prefix) => `${prefix}[…]`)].join(', ')
    fail(reader, `has the unknown key ${JSON.stringify(key)}; valid: ${valid}`)
  }
  if (key === 'destination.port') for (const value of values) checkPort(value, reader)
}
