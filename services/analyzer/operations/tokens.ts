import type { ValueKind } from '../../model/template.ts'

/**
 * Paths taken apart for learning. A token begins with `/` where it starts a segment and with `+` where it goes on with one:
 * `/users/7;v=2/a.json` is `/users`, `/7`, `+;v=`, `+2`, `/a`, `+.json`. So the parts of a segment are levels of the tree
 * like any other, and the data decides which of them are parameters.
 */
export type Token = string

/** A path with more segments, or longer, teaches nothing: no router has such operations, and a client chooses both. */
export const SEGMENTS_MAX = 64
export const PATH_LENGTH_MAX = 2048

/** Extensions that file names have. Any other text behind a dot is part of a name: `john.doe`, `1.2.3`. */
const EXTENSION =
  /^(.+)(\.(?:json|xml|html?|xhtml|pdf|csv|tsv|txt|md|ya?ml|toml|proto|js|mjs|css|map|wasm|png|jpe?g|gif|svg|webp|avif|ico|bmp|tiff?|mp[34]|m4[av]|webm|ogg|wav|mov|m3u8?|ts|mpd|vtt|srt|zip|gz|tgz|bz2|xz|zst|tar|jar|war|whl|deb|rpm|apk|exe|bin|iso|log|woff2?|ttf|otf|eot|rss|atom|ics|vcf|geojson|kml|gpx|docx?|xlsx?|pptx?|odt|ods|rtf|epub|php|aspx?|ashx|jspx?|do|action|cgi|sql|parquet|avro|pem|crt|sig|asc))$/i
/** Custom methods: `orders/7:cancel` (Google's API improvement proposal 136). */
const VERB = /^([^:]+)(:[A-Za-z]+)$/
/** A key in brackets behind a name: `Users(7)` (OData). */
const KEY = /^([A-Za-z_][\w.]*)(\(.+\))$/
/** What RFC 3986 calls unreserved: its escapes mean the same character, and proxies decode them. */
const UNRESERVED_ESCAPE = /%(?:2[dD]|2[eE]|3[0-9]|4[1-9a-fA-F]|5[0-9aA]|5[fF]|6[1-9a-fA-F]|7[0-9aA]|7[eE])/g

/**
 * A path's segments as names are compared; undefined for what teaches nothing: no absolute path, dot segments, literal
 * braces, too long.
 */
export function plainSegments(path: string): string[] | undefined {
  if (!path.startsWith('/') || path.length > PATH_LENGTH_MAX) return undefined
  const plain = path.includes('%') ? path.replace(UNRESERVED_ESCAPE, decoded) : path
  const segments = plain.slice(1).split('/')
  if (segments.length > SEGMENTS_MAX) return undefined
  if (plain.includes('/.') && segments.some((segment) => segment === '.' || segment === '..')) return undefined
  if (/[{}]/.test(plain) && segments.some((segment) => /[{}]/.test(segment) && !isPlaceholder(segment)))
    return undefined
  return segments
}

const decoded = (code: string) => String.fromCharCode(Number.parseInt(code.slice(1), 16))

/** A path's tokens; undefined for what teaches nothing. */
export function tokensOf(path: string): Token[] | undefined {
  const tokens: Token[] = []
  const segments = plainSegments(path)
  for (const segment of segments ?? []) {
    if (/[.:;(]/.test(segment)) addParts(tokens, segment)
    else tokens.push(`/${segment}`)
  }
  return segments && tokens
}

function addParts(tokens: Token[], segment: string): void {
  const [name = '', ...parameters] = segment.split(';')
  const split = kindOf(name) === undefined ? (KEY.exec(name) ?? EXTENSION.exec(name) ?? VERB.exec(name)) : null
  const [, stem = name, suffix] = split ?? []
  tokens.push(`/${stem}`)
  if (suffix !== undefined) tokens.push(`+${suffix}`)
  for (const parameter of parameters) {
    const at = parameter.indexOf('=') + 1
    tokens.push(`+;${at > 0 ? parameter.slice(0, at) : parameter}`)
    if (at > 0 && at < parameter.length) tokens.push(`+${parameter.slice(at)}`)
  }
}

/** What the collector wrote in a value's place (`sources/sql.ts`): each stands for any number of distinct values. */
const PLACEHOLDERS: Record<string, ValueKind> = {
  '{int}': 'int',
  '{uuid}': 'uuid',
  '{hex}': 'hex',
  '{date}': 'date',
  '{jwt}': 'token',
}

export function isPlaceholder(text: string): boolean {
  return Object.hasOwn(PLACEHOLDERS, text)
}

/** Texts that are no value of any parameter: a file's extension, a matrix parameter's name, an empty segment. */
export function isFixed(token: Token): boolean {
  return token === '/' || token.startsWith('+.') || token.startsWith('+;')
}

const TYPES: [ValueKind, RegExp][] = [
  ['int', /^[0-9]{1,20}$/],
  ['uuid', /^[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$/],
  ['date', /^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T_][0-9:.+Zz-]*)?$/],
  ['number', /^[+-]?[0-9][0-9.,:+-]*$/],
  ['hex', /^(?:0x[0-9a-fA-F]+|[0-9a-fA-F]{12,})$/],
  ['email', /^.+(?:@|%40).+$/],
  ['encoded', /%(?:2[fF]|5[cC])/],
  ['base64', /^[A-Za-z0-9+_-]{10,}={1,2}$/],
  ['token', /^[a-zA-Z]{1,8}[_-](?=[A-Za-z]*[0-9])[0-9a-fA-F]{8,}$/],
  ['token', /^[a-z]{2,8}_(?=[A-Za-z]*[0-9])[A-Za-z0-9]{10,}$/],
  ['token', /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/],
  ['token', /^(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9_-]{16,}$/],
  ['key', /^\(.+\)$/],
]

/** The type that a text's form alone tells; undefined for names, slugs, versions and whatever else only the data can tell. */
export function kindOf(text: string): ValueKind | undefined {
  const placeholder = PLACEHOLDERS[text]
  if (placeholder !== undefined) return placeholder
  // Every type has a digit or one of these signs.
  if (!/[0-9@%=(]/.test(text)) return undefined
  return TYPES.find(([, form]) => form.test(text))?.[0]
}

/** Whether a text can be a value of a parameter of this kind. */
export function isOfKind(kind: ValueKind, text: string): boolean {
  return kind === 'value' || kind === '**' || kindOf(text) === kind
}
