/**
 * Expands the small macros of the mapping files, so that an address or a path is taken apart in one way everywhere:
 * `{host:x}`, `{port:x}`, `{shape:x}`, `{named_shape:x:raw:name}`, `{graphql_name:x}`, `{operation_name:raw}`, `{path_flags:x:raw}`, `{path_secrets:x}`, `{unprefixed:x}`, `{workload:x}` for an SQL expression x without braces, `{attribute:k}`,
 * `{integer:k}` and `{resource:k}` for the value of an OpenTelemetry attribute, `{name}` for a part, `{{}` and `{}}` for literal braces.
 */
export function expand(template: string, parts: Record<string, string>): string {
  const named = template.replace(/\{([a-z_]+)\}/g, (whole, name: string) => {
    const part = parts[name]
    if (part === undefined) throw new Error(`no part named ${whole} for this mapping`)
    return part
  })
  const expanded = named.replace(
    /\{(host|port|shape|named_shape|graphql_name|operation_name|path_flags|path_secrets|unprefixed|workload|attribute|integer|resource):([^{}]+)\}/g,
    (_, macro: string, argument: string) => {
      if (macro === 'host') return host(argument)
      if (macro === 'port') return port(argument)
      if (macro === 'shape') return shape(argument)
      if (macro === 'named_shape') return namedShape(argument)
      if (macro === 'graphql_name') return graphqlName(argument)
      if (macro === 'operation_name') return operationName(argument)
      if (macro === 'unprefixed') return unprefixed(argument)
      if (macro === 'workload') return workload(argument)
      if (macro === 'path_secrets') return pathSecrets(argument)
      if (macro === 'integer') return `integers[indexOf(keys, '${argument}')]`
      if (macro === 'attribute') return `values[indexOf(keys, '${argument}')]`
      if (macro === 'resource') return `resource_values[indexOf(resource_keys, '${argument}')]`
      const [path = '', raw = ''] = argument.split(':')
      return pathFlags(path, raw)
    },
  )
  return expanded.replaceAll('{{}', '{').replaceAll('{}}', '}')
}

/** A line without the prefix of CRI or of `kubectl logs --prefix --timestamps`. */
function unprefixed(x: string): string {
  const pod = String.raw`(\\[pod/[^\\]]*\\] )?`
  const time = '([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+) )?'
  return `replaceRegexpOne(${x}, '^${pod}${time}((stdout|stderr) F )?', '')`
}

/** A pod's name without the hashes of its ReplicaSet, DaemonSet or StatefulSet, as `unwrap.sql` does it. */
function workload(pod: string): string {
  const random = 'bcdfghjklmnpqrstvwxz2456789'
  return `replaceRegexpOne(${pod}, '(-[${random}]{5,10})?-([${random}]{5}|[0-9]{1,4})$', '')`
}

/** `10.1.2.3:80`, `[fd00::1]:80`, `envoy://connect_originate/10.1.2.3:80` -> the address; anything else -> ''. */
function host(x: string): string {
  const end = `splitByChar('/', ${x})[-1]`
  return `multiIf(
    position(${x}, '[') > 0, substring(${x}, position(${x}, '[') + 1, greatest(position(${x}, ']'), position(${x}, '[') + 1) - position(${x}, '[') - 1),
    position(${x}, '/') > 0, splitByChar(':', ${end})[1],
    splitByChar(':', ${x})[1])`
}

/** The port behind the last colon, 0 where there is none. */
function port(x: string): string {
  return `toUInt16OrZero(splitByChar(':', ${x})[-1])`
}

/** Segments whose type says that they are values, not names: replaced by the type in braces. Nothing else is generalised here. */
function shape(x: string): string {
  const typed = `s -> multiIf(
    length(s) = 0 OR NOT match(s, '[0-9]'), s,
    length(s) <= 20 AND match(s, '^[0-9]+$'), '{int}',
    length(s) = 36 AND match(s, '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$'), '{uuid}',
    length(s) = 10 AND match(s, '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'), '{date}',
    length(s) >= 12 AND match(s, '^[0-9a-fA-F]+$'), '{hex}',
    s)`
  return `if(match(${x}, '[0-9]'), arrayStringConcat(arrayMap(${typed}, splitByChar('/', ${x})), '/'), ${x})`
}

/** What GraphQL takes for a name (specification of October 2021, 2.1.9), and no longer: all else that stands in its place is dropped. */
const NAME = '[_A-Za-z][_0-9A-Za-z]{0,63}'

const graphqlName = (x: string) => `if(length(${x}) > 1 AND match(${x}, '^${NAME}$'), ${x}, '')`

/** The operation that a query string names (GraphQL over HTTP, 6.1); nothing else of it is kept. Most requests name none: one look decides for them. */
const operationName = (raw: string) =>
  `if(position(${raw}, 'operationName=') > 0, extract(${raw}, '[?&]operationName=(${NAME})(?:[&#]|$)'), '')`

/** A path's shape, and behind a `#` the operation that a header (`name`) or the query string names; `services/model/shape.ts` reads it. */
function namedShape(argument: string): string {
  const [path = '', raw = '', name = ''] = argument.split(':')
  const told = `if(${graphqlName(name)} != '', ${name}, ${operationName(raw)})`
  return `concat(${shape(path)}, if(${path} != '' AND ${told} != '', concat('#', ${told}), ''))`
}

/** A path without what opens doors: session ids in matrix parameters, JSON web tokens in segments, and `-` for "none". */
function pathSecrets(x: string): string {
  const plain = `replaceRegexpAll(replaceRegexpAll(${x}, '(?i);([a-z_-]*(?:sess|sid|token|auth)[a-z_-]*)=[^/;]*', ';\\\\1='),
    'eyJ[A-Za-z0-9_-]{8,}(?:[.][A-Za-z0-9_-]*)*', '{{}jwt{}}')`
  return `multiIf(${x} = '-', '', position(${x}, ';') > 0 OR position(${x}, 'eyJ') > 0, ${plain}, ${x})`
}

/** The bits of `PATH_FLAGS` (services/model/operation.ts), in its order; `raw` is the path before the query was cut. */
function pathFlags(path: string, raw: string): string {
  const rare = [
    `position(${path}, '=') > 0`,
    `match(${path}, '(?i)%(2f|5c)')`,
    `position(${path}, '//') > 0`,
    `position(${path}, ';') > 0`,
    `match(${path}, '(?i)(^|/)(\\\\.|%2e){1,2}(/|$)')`,
    `endsWith(${path}, '/') AND ${path} != '/'`,
    '0',
    `match(${path}, '[{}]')`,
    `match(${path}, '(?i)%([013-46-9a-f][0-9a-f]|2[0-9a-e]|5[0-9abd-f])')`,
    `match(${path}, '(?i)[^\\\\x21-\\\\x7e]|["<>^\`|\\\\\\\\]|%([^0-9a-f]|[0-9a-f]([^0-9a-f]|$)|$)')`,
  ]
  const bits = rare.map((test, bit) => `bitShiftLeft(toUInt16(${test}), ${bit})`).join(' + ')
  // Most paths are plain: one look decides for them.
  return `toUInt16(if(match(${path}, '^(/[a-zA-Z0-9_~.:@!$&()+,-]*[a-zA-Z0-9_~:@!$&()+,-])+$'), 0, ${bits}) + if(position(${raw}, '?') > 0, 64, 0))`
}
