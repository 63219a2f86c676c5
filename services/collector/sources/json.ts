/**
 * Macros of the mappings of directory events, whose systems write JSON: `{get:a.b}` is the text of a value of `event`, `{raw:a.b}` its
 * JSON, `{list:a.b}` the JSON of each element; `{of:x:a.b}` and `{list_of:x:a.b}` the same of the SQL expression x. Keys are taken in any
 * case, for pipelines lower them. `{secrets:x}` is x without what opens doors; `{is_change:x}` whether an action's name says that it changes something.
 */
export function expandJson(template: string): string {
  return template.replace(
    /\{(get|raw|list|of|list_of|secrets|is_change):([^{}]+)\}/g,
    (_, macro: string, argument: string) => {
      if (macro === 'get') return text('event', argument)
      if (macro === 'raw') return `JSONExtractRawCaseInsensitive(event, ${keys(argument)})`
      if (macro === 'list') return list('event', argument)
      if (macro === 'secrets') return withoutSecrets(argument)
      if (macro === 'is_change') return `match(${argument}, ${literal(CHANGES)})`
      const [x = '', path = ''] = argument.split(':')
      return macro === 'of' ? text(x, path) : list(x, path)
    },
  )
}

const keys = (path: string) =>
  path
    .split('.')
    .map((key) => `'${key}'`)
    .join(', ')
/** Numbers and objects come as they are written, null and what is missing as ''. */
const text = (x: string, path: string) => `JSONExtractCaseInsensitive(${x}, ${keys(path)}, 'String')`
const list = (x: string, path: string) => `JSONExtractArrayRawCaseInsensitive(${x}, ${keys(path)})`

/** A text as ClickHouse writes it. */
const literal = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** Words by which systems name what changes something. */
const CHANGES =
  '(?i)(creat|updat|delet|remov|grant|revok|reset|assign|chang|modif|activat|enabl|disabl|suspend|lock|enroll|invit|import|link|consent|elevat|transfer|renam|edit|restor|purg|register|provision|promot|demot|bypass_|attach|detach|associat|(^|[._ -])(add|set|put))'

/** How keys end whose values open doors, or name a session that is open; and those that are called just so. */
const SUFFIXES =
  'password|passwd|passphrase|passcode|secret|token|api[_-]?key|private[_-]?key|secret[_-]?key|access[_-]?key|authorization|cookie|assertion|session[_-]?id|token[_-]?identifier|csrf|ticket|credential-id|session_state|authsessionparentid'
const EXACT = 'code_id|sid|jti|nonce|session|otp|pwd|session_index|samlresponse|samlrequest'
const KEY = String.raw`(?:[^"\\]*(?:${SUFFIXES})|${EXACT})\s*`
const QUOTED = String.raw`"(?:[^"\\]|\\.)*"`
const VALUE_KEYS = ['"(?:value|valuestring|newvalue|new)"', '"(?:oldvalue|old)"']
const NAME_KEY = '"(?:name|key|type|displayname|attribute)"'
const PAIRS = String.raw`(?:"[^"\\]*"\s*:\s*(?:${QUOTED}|[a-z0-9.]+)\s*,\s*){0,4}`

/** What is taken out of an event, and what stands for it; JSON stays JSON. The first hold for JSON within a text of JSON, too. */
const SECRETS: [pattern: string, replacement: string][] = [
  // A value of JSON within a JSON text: `\"password\":\"…\"`, whose own escapes have two backslashes or three.
  [String.raw`(\\"${KEY}\\"\s*:\s*\\")(?:[^"\\]|\\\\\\\\|\\\\\\.|\\\\[^\\"])*`, String.raw`\1<redacted>`],
  [String.raw`(\\{2,}"${KEY}\\{2,}"\s*:\s*\\{2,}")[^"\\]*`, String.raw`\1<redacted>`],
  [
    String.raw`(\\+"(?:name|key|type)\\+"\s*:\s*\\+"${KEY}\\+"[^{}]{0,200}?\\+"value\\+"\s*:\s*\\+")[^"\\]*`,
    String.raw`\1<redacted>`,
  ],
  [
    String.raw`("${KEY}"\s*:\s*)(?:${QUOTED}|[0-9][0-9.eE+-]*|\[\s*(?:(?:${QUOTED}|[0-9.]+)\s*,?\s*)*\])`,
    String.raw`\1"<redacted>"`,
  ],
  // A pair of name and value, in any order.
  ...VALUE_KEYS.flatMap((value): [string, string][] => [
    [String.raw`(${NAME_KEY}\s*:\s*"${KEY}"\s*,\s*${PAIRS}${value}\s*:\s*)${QUOTED}`, String.raw`\1"<redacted>"`],
    [String.raw`(${value}\s*:\s*)${QUOTED}(\s*,\s*${PAIRS}${NAME_KEY}\s*:\s*"${KEY}")`, String.raw`\1"<redacted>"\2`],
  ]),
  [String.raw`\b((?:[a-z0-9_.-]*(?:${SUFFIXES})|${EXACT})=)(?:\\*"[^"\\]*|[^"\\ ,;&]+)`, String.raw`\1<redacted>`],
  [String.raw`\b(bearer|basic|negotiate|digest|ssws)\s+[a-z0-9+/=._~-]{8,}`, String.raw`\1 <redacted>`],
  [String.raw`\beyJ[a-z0-9_-]{5,}(?:\.[a-z0-9_-]*){1,4}`, '<redacted>'],
  [String.raw`://[^/@" \\]*@`, '://<redacted>@'],
  [String.raw`\?[a-z0-9_.~%+\[\]-]+=[^" \\]*`, '?<query>'],
  [String.raw`#[^" \\]*(?:token|code|secret)=[^" \\]*`, '#<fragment>'],
  ['-----BEGIN [A-Z ]*PRIVATE KEY-----[^"]*', '<redacted>'],
]

function withoutSecrets(x: string): string {
  return SECRETS.reduce(
    (inner, [pattern, replacement]) =>
      `replaceRegexpAll(${inner}, ${literal(`(?i)${pattern}`)}, ${literal(replacement)})`,
    x,
  )
}
