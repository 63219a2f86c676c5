import { fail, field, type Reader } from '../fields.ts'
import type { ReplayRequest } from '../request.ts'
import type { Tri } from '../tri.ts'
import { ALWAYS, about, allOf, anyOf, type Check, none, untold } from './checks.ts'
import { readHeader } from './header.ts'
import { readMetadata, readSourcedMetadata } from './metadata.ts'
import { isTrue, items, message, oneOf, typedConfig } from './proto.ts'
import { onPath, urlPath } from './read-permission.ts'
import { matchesString, readStringMatcher, type StringPattern } from './strings.ts'

/** The kinds of a node of the tree. */
export const PRINCIPAL_KINDS = [
  'and_ids',
  'or_ids',
  'any',
  'authenticated',
  'source_ip',
  'direct_remote_ip',
  'remote_ip',
  'header',
  'url_path',
  'metadata',
  'filter_state',
  'not_id',
  'sourced_metadata',
  'custom',
]

const UNTOLD: Record<string, string> = {
  source_ip: "the caller's address",
  direct_remote_ip: "the caller's address",
  remote_ip: "the caller's address",
  filter_state: 'the state of other filters',
}

/** A principal; `only` are the identities that can match, where they can be listed. */
export interface Principal {
  check: Check
  only: ReadonlySet<string> | null
}

/** Of the listener's TLS, what principals depend on. */
export interface Tls {
  resumesSessions: boolean
}

/** envoy.config.rbac.v3.Principal. */
export function readPrincipal(value: unknown, tls: Tls, reader: Reader): Principal {
  const [name, inner] = oneOf(value, reader, PRINCIPAL_KINDS)
  const at = field(reader, name)
  if (name === 'authenticated') return readAuthenticated(inner, at)
  if (name === 'custom') return readCustom(inner, tls, at)
  if (name === 'and_ids' || name === 'or_ids') return readSet(name, inner, tls, at)
  return { check: readOther(name, inner, tls, at), only: null }
}

function readSet(name: 'and_ids' | 'or_ids', inner: unknown, tls: Tls, at: Reader): Principal {
  const parts = items(message(inner, at, ['ids'])['ids'], at, (item, one) => readPrincipal(item, tls, one))
  const checks = parts.map(({ check }) => check)
  if (name === 'or_ids') return { check: anyOf(checks), only: anyIdentity(parts) }
  // Whoever matches all matches each.
  return { check: allOf(checks), only: parts.find(({ only }) => only !== null)?.only ?? null }
}

/** The identities that can match one of several principals, null where they cannot be listed. */
export function anyIdentity(principals: readonly Principal[]): ReadonlySet<string> | null {
  const lists = principals.map(({ only }) => only)
  return lists.every((list) => list !== null) ? new Set(lists.flatMap((list) => [...list])) : null
}

function readOther(name: string, inner: unknown, tls: Tls, at: Reader): Check {
  switch (name) {
    case 'any':
      isTrue(inner, at)
      return ALWAYS
    case 'not_id':
      return none(readPrincipal(inner, tls, at).check)
    case 'header':
      return readHeader(inner, at)
    case 'metadata':
      return readMetadata(inner, at)
    case 'sourced_metadata':
      return readSourcedMetadata(inner, at)
    case 'url_path':
      return about('the path', onPath(urlPath(inner, at).match))
    default:
      return untold(UNTOLD[name] ?? name)
  }
}

const WHO = "the caller's principal"
const SCHEME = 'spiffe://'

// Any URI of the certificate, then any DNS name, then its subject, which may be empty (AuthenticatedMatcher, matchers.cc).
function readAuthenticated(value: unknown, reader: Reader): Principal {
  const { principal_name: name } = message(value, reader, ['principal_name'])
  if (name === undefined) {
    // Any connection with TLS, with a certificate or without.
    return { check: about(WHO, ({ mutualTls }) => (mutualTls === 'yes' ? 'yes' : 'unknown')), only: null }
  }
  const pattern = readStringMatcher(name, field(reader, 'principal_name'))
  const only = exactIdentity(pattern)
  const uri = byUri(pattern, matchesString(pattern, '') === 'no' ? 'no' : 'unknown')
  if (beginsAsUri(pattern)) return { check: about(WHO, uri), only }
  return {
    check: about("other names of the caller's certificate", (one) => (uri(one) === 'yes' ? 'yes' : 'unknown')),
    only,
  }
}

// Neither a DNS name nor a subject begins so.
function beginsAsUri(pattern: StringPattern): boolean {
  if (pattern.is === 'exact' || pattern.is === 'prefix') return pattern.text.startsWith(SCHEME)
  const places = pattern.is === 'regex' ? (pattern.sequence ?? []) : []
  return [...SCHEME].every((letter, at) => places[at]?.literal === letter && places[at].least === 1 && !places[at].many)
}

function byUri(pattern: StringPattern, anonymous: Tri): (request: ReplayRequest) => Tri {
  return ({ caller }) => {
    if (caller.is === 'none') return anonymous
    return caller.is === 'unknown' ? 'unknown' : matchesString(pattern, SCHEME + caller.principal)
  }
}

function exactIdentity(pattern: StringPattern): ReadonlySet<string> | null {
  const exact = pattern.is === 'exact' && !pattern.ignoreCase && pattern.text.startsWith(SCHEME)
  return exact ? new Set([pattern.text.slice(SCHEME.length)]) : null
}

// The verification is not kept with a session: on a resumed one nobody matches (Envoy's issue 42668).
function readCustom(value: unknown, { resumesSessions }: Tls, reader: Reader): Principal {
  const { typed_config: config } = message(value, reader, ['name', 'typed_config'])
  const known = typedConfig(config, 'envoy.extensions.rbac.principals.mtls_authenticated.v3.Config')
  if (!known) return { check: untold("an extension's answer"), only: null }
  const at = field(reader, 'typed_config')
  const { san_matcher: san, any_validated_client_certificate: any } = message(known, at, [
    'san_matcher',
    'any_validated_client_certificate',
  ])
  if (san === undefined) {
    if (any !== true) fail(at, 'needs san_matcher or any_validated_client_certificate')
    return {
      check: resumed(
        about(WHO, ({ mutualTls }) => mutualTls),
        resumesSessions,
      ),
      only: null,
    }
  }
  const { san_type: type, matcher } = message(san, field(at, 'san_matcher'), ['san_type', 'matcher', 'oid'])
  const pattern = readStringMatcher(matcher, field(at, 'matcher'))
  if (type !== 'URI' && type !== 3) return { check: untold("other names of the caller's certificate"), only: null }
  return { check: resumed(about(WHO, byUri(pattern, 'no')), resumesSessions), only: exactIdentity(pattern) }
}

function resumed(check: Check, may: boolean): Check {
  if (!may) return check
  return allOf([check, untold('whether TLS sessions are resumed, on which mtls_authenticated matches nobody')])
}
