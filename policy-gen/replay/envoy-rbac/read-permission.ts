import { fail, field, type Reader, requiredString } from '../fields.ts'
import { anyPathOf, type PathMatcher } from '../paths.ts'
import type { ReplayRequest } from '../request.ts'
import { fromBoolean, type Tri } from '../tri.ts'
import { ALWAYS, about, allOf, anyOf, type Check, none, untold } from './checks.ts'
import { readHeader } from './header.ts'
import { readMetadata, readSourcedMetadata } from './metadata.ts'
import { integer, isTrue, items, message, oneOf, typedConfig } from './proto.ts'
import { pathOf, readStringMatcher } from './strings.ts'
import { uriTemplate } from './template.ts'

/** The kinds of a node of the tree. */
export const PERMISSION_KINDS = [
  'and_rules',
  'or_rules',
  'any',
  'header',
  'url_path',
  'destination_ip',
  'destination_port',
  'destination_port_range',
  'metadata',
  'not_rule',
  'requested_server_name',
  'matcher',
  'uri_template',
  'sourced_metadata',
]
const PORT_MAX = 65_535
const PORT_END_MAX = 65_536

/** What is not known of a request, by the field that asks for it. */
const UNTOLD: Record<string, string> = {
  destination_ip: "the workload's address",
  requested_server_name: 'the server name of the handshake',
  matcher: "an extension's answer",
}

/** envoy.config.rbac.v3.Permission. */
export function readPermission(value: unknown, reader: Reader): Check {
  const [name, inner] = oneOf(value, reader, PERMISSION_KINDS)
  const at = field(reader, name)
  switch (name) {
    case 'any':
      isTrue(inner, at)
      return ALWAYS
    case 'and_rules':
      return allOf(items(message(inner, at, ['rules'])['rules'], at, readPermission))
    case 'or_rules':
      return alternatives(items(message(inner, at, ['rules'])['rules'], at, readAlternative))
    case 'not_rule':
      return none(readPermission(inner, at))
    case 'header':
      return readHeader(inner, at)
    case 'url_path':
      return about('the path', onPath(urlPath(inner, at).match))
    case 'uri_template':
      return readTemplate(inner, at)
    case 'metadata':
      return readMetadata(inner, at)
    case 'sourced_metadata':
      return readSourcedMetadata(inner, at)
    case 'destination_port': {
      const port = integer(inner, at, PORT_MAX)
      return onPort((own) => own === port)
    }
    case 'destination_port_range': {
      const { start = 0, end = 0 } = message(inner, at, ['start', 'end'])
      const [from, to] = [integer(start, at, PORT_MAX), integer(end, at, PORT_END_MAX)]
      if (from >= to) fail(at, 'must end above its start')
      return onPort((own) => from <= own && own < to)
    }
    default:
      return untold(UNTOLD[name] ?? name)
  }
}

/** A path of `url_path`, exact where `text` is told. */
export function urlPath(value: unknown, reader: Reader): { text: string | null; match: PathMatcher } {
  const { path } = message(value, reader, ['path'])
  const pattern = readStringMatcher(path, field(reader, 'path'))
  const plain = pattern.is === 'exact' && !pattern.ignoreCase
  return { text: plain ? pattern.text : null, match: pathOf(pattern) }
}

export function onPath(match: PathMatcher): (request: ReplayRequest) => Tri {
  return ({ path }) => (path.known ? match(path) : 'unknown')
}

function onPort(test: (port: number) => boolean): Check {
  return about("the workload's port", ({ port }) => (port === 0 ? 'unknown' : fromBoolean(test(port))))
}

function readTemplate(value: unknown, reader: Reader): Check {
  const { typed_config: config } = message(value, reader, ['name', 'typed_config'])
  const known = typedConfig(config, 'envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig')
  if (!known) return untold("an extension's answer")
  const at = field(reader, 'path_template')
  const { path_template: template } = message(known, at, ['path_template'])
  return about('the path', onPath(uriTemplate(requiredString(template, at), at)))
}

interface Alternative {
  exact: string | null
  check: Check | null
}

// A callee may have thousands of exact paths: they are looked up, not asked one by one.
function readAlternative(value: unknown, reader: Reader): Alternative {
  const [name, inner] = oneOf(value, reader, PERMISSION_KINDS)
  const { text } = name === 'url_path' ? urlPath(inner, field(reader, name)) : { text: null }
  return { exact: text, check: text === null ? readPermission(value, reader) : null }
}

function alternatives(list: readonly Alternative[]): Check {
  const exact = list.flatMap((one) => one.exact ?? [])
  const others = list.flatMap(({ check }) => check ?? [])
  if (exact.length === 0) return anyOf(others)
  return anyOf([about('the path', onPath(anyPathOf(exact, []))), ...others])
}
