/** Small parsers of the formats that `cinch graph` writes, strict where other tools are: what they do not take is an error. */

export interface Parsed {
  nodes: string[]
  edges: { source: string; destination: string; requests: number }[]
}

/** The part of DOT that is written: statements of quoted ids, `->`, and attribute lists (graphviz.org/doc/info/lang.html). */
export function parseDot(text: string): Parsed {
  const tokens = [...tokensOf(text)]
  const next = (wanted?: string) => {
    const token = tokens.shift()
    if (token === undefined || (wanted !== undefined && token !== wanted)) throw new Error(`${token}, not ${wanted}`)
    return token
  }
  const graph: Parsed = { nodes: [], edges: [] }
  next('digraph')
  next('requests')
  next('{')
  while (tokens[0] !== '}') {
    const id = next()
    if (tokens[0] === '=') tokens.splice(0, 2)
    else if (tokens[0] === '->') {
      next('->')
      graph.edges.push({ source: unquoted(id), destination: unquoted(next()), ...attributes(next, tokens) })
    } else graph.nodes.push(unquoted(id))
  }
  next('}')
  if (tokens.length > 0) throw new Error(`${tokens.length} tokens behind the end`)
  return graph
}

function attributes(next: (wanted?: string) => string, tokens: string[]): { requests: number } {
  const found = new Map<string, string>()
  next('[')
  while (tokens[0] !== ']') {
    const name = next()
    next('=')
    found.set(name, next())
    if (tokens[0] === ',') next(',')
  }
  next(']')
  return { requests: Number(unquoted(found.get('label') ?? '')) }
}

function* tokensOf(text: string): Generator<string> {
  const token = /\s*("(?:[^"\\\n]|\\.)*"|->|[A-Za-z_][A-Za-z0-9_]*|[{}[\]=,])/y
  while (text.slice(token.lastIndex).trim() !== '') {
    const at = token.lastIndex
    const [, found] = token.exec(text) ?? []
    if (found === undefined) throw new Error(`no token at ${JSON.stringify(text.slice(at, at + 40))}`)
    yield found
  }
}

/** In a quoted id, only `\"` is an escape; two backslashes are how a label says one. */
const unquoted = (token: string) => {
  if (!token.startsWith('"')) throw new Error(`${token} is not quoted`)
  return token.slice(1, -1).replaceAll('\\"', '"').replaceAll('\\\\', '\\')
}

/** Mermaid's flowchart, with its entity codes (`#35;`) read back. */
export function parseMermaid(text: string): Parsed {
  const [first, ...lines] = text.trim().split('\n')
  if (first !== 'flowchart LR') throw new Error(`begins with ${first}`)
  const labels = new Map<string, string>()
  const graph: Parsed = { nodes: [], edges: [] }
  for (const line of lines) {
    const node = /^ {2}(n\d+)\["([A-Za-z0-9 ./:_#;-]*)"\]$/.exec(line)
    const edge = /^ {2}(n\d+) -->\|(\d+)\| (n\d+)$/.exec(line)
    if (node) {
      const label = (node[2] ?? '').replace(/#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
      labels.set(node[1] ?? '', label)
      graph.nodes.push(label)
    } else if (edge) {
      const end = (id = '') => labels.get(id) ?? `${id} is no node`
      graph.edges.push({ source: end(edge[1]), destination: end(edge[3]), requests: Number(edge[2]) })
    } else throw new Error(`neither node nor edge: ${JSON.stringify(line)}`)
  }
  return graph
}

/** XML 1.0 without doctype, comments and CDATA, well-formed or an error; then what GraphML says with it. */
export function parseGraphml(text: string): Parsed {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that XML 1.0 does not hold
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text)) throw new Error('a character that is not XML')
  const graph: Parsed = { nodes: [], edges: [] }
  const open: string[] = []
  let data: { key: string; value: string } | undefined
  const token = /<\?xml[^?]*\?>|<(\/?)([A-Za-z]+)((?:\s+[A-Za-z.:]+="[^"<]*")*)\s*(\/?)>|([^<]+)/y
  for (let at = 0; at < text.trimEnd().length; at = token.lastIndex) {
    const found = token.exec(text)
    if (!found) throw new Error(`no XML at ${JSON.stringify(text.slice(at, at + 60))}`)
    const [, closing, name, attributeText = '', empty, content] = found
    if (content !== undefined && data) data.value += decoded(content)
    else if (content !== undefined && content.trim() !== '') throw new Error(`text outside of data: ${content}`)
    if (name === undefined) continue
    const attribute = (wanted: string) => decoded(new RegExp(`\\s${wanted}="([^"]*)"`).exec(attributeText)?.[1] ?? '')
    if (closing) {
      if (open.pop() !== name) throw new Error(`</${name}> closes nothing`)
      if (name === 'data' && data?.key === 'requests')
        Object.assign(graph.edges.at(-1) ?? {}, { requests: Number(data.value) })
      data = undefined
      continue
    }
    if (!empty) open.push(name)
    if (name === 'node') graph.nodes.push(attribute('id'))
    if (name === 'edge')
      graph.edges.push({ source: attribute('source'), destination: attribute('target'), requests: 0 })
    if (name === 'data') data = { key: attribute('key'), value: '' }
  }
  if (open.length > 0) throw new Error(`${open.join(', ')} stay open`)
  return graph
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"' }
function decoded(text: string): string {
  if (/&(?!(amp|lt|gt|quot);)/.test(text)) throw new Error(`an ampersand that begins nothing: ${text}`)
  return text.replace(/&(\w+);/g, (_, name: string) => ENTITIES[name] ?? '').replace(/[\n\t\r]/g, ' ')
}
