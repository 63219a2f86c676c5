import type { EditableRule, Editor } from './editor.ts'

/** Reads the lines that the renderer writes, and writes policies in a form of its own: a rule's callers in one condition. */
export const cedar: Editor = {
  allows: ({ path }) => path.endsWith('.cedar'),
  open({ content }) {
    const rules = content
      .split(/^(?=@id)/m)
      .slice(1)
      .map(readPolicy)
    return { rules, save: () => rules.map(writePolicy).join('\n') }
  },
  calleeOf: (id, files) => {
    const entities = files.filter(({ path }) => path === 'entities.json').flatMap(({ content }) => JSON.parse(content))
    const { attrs, tags } = entities.find(({ uid }) => uid.id === id)
    return `${attrs.namespace}/${tags.app}`
  },
}

function readPolicy(text: string): EditableRule {
  const { masked, literals } = withoutLiterals(text)
  const literalAt = (at: string | undefined) => unescaped(literals[Number(at)] ?? '')
  const body = masked.slice(masked.indexOf('when {'))
  const templates = [...body.matchAll(/(?<!!\()context\.path like "(\d+)"/g)].map(([, at]) => patternOf(literals, at))
  const texts = (attribute: string) => constants(body, attribute).map((item) => literalAt(item.slice(1, -1)))
  return {
    callee: literalAt(/Callee::"(\d+)"/.exec(masked)?.[1]),
    principals: [...masked.matchAll(/Identity::"(\d+)"/g)].map(([, at]) => literalAt(at)),
    entries: [{ ports: constants(body, 'port'), methods: texts('method'), paths: [...texts('path'), ...templates] }],
  }
}

/** Whatever stands in a literal is no syntax: each is replaced by its number. */
function withoutLiterals(text: string): { masked: string; literals: string[] } {
  const literals: string[] = []
  const masked = text.replace(/"((?:[^"\\]|\\.)*)"/g, (_, literal: string) => `"${literals.push(literal) - 1}"`)
  return { masked, literals }
}

function patternOf(literals: readonly string[], at = ''): string {
  const literal = literals[Number(at)] ?? ''
  return unescaped(literal.replace(/\\.|\*/gs, (part) => (part === '*' ? '{*}' : part)))
}

function unescaped(literal: string): string {
  return literal.replace(/\\(?:u\{([0-9a-f]+)\}|(.))/g, (_, code: string | undefined, character: string) =>
    code === undefined ? character : String.fromCodePoint(Number.parseInt(code, 16)),
  )
}

function constants(body: string, attribute: string): string[] {
  const one = new RegExp(`context\\.${attribute} == ("\\d+"|\\d+)`).exec(body)?.[1]
  const list = new RegExp(`\\[([^\\]]*)\\]\\.contains\\(context\\.${attribute}\\)`).exec(body)?.[1]
  return (one ?? list ?? '').split(', ').filter((text) => text !== '')
}

function writePolicy({ callee, principals, entries }: EditableRule): string {
  const caller = principals.map((id) => `principal == Cinch::Identity::"${id}"`).join(' || ')
  const conditions = entries.map(({ ports, methods, paths }) => {
    const path = paths.map(pathTest).filter((test) => test !== '')
    return [
      `[${ports.join(', ')}].contains(context.port)`,
      `context has method && [${methods.map((method) => `"${method}"`).join(', ')}].contains(context.method)`,
      `context has path && (${path.join(' || ') || 'false'})`,
    ].join(' && ')
  })
  const scope = `principal, action == Cinch::Action::"request", resource == Cinch::Callee::"${callee}"`
  return `permit (${scope}) when { (${caller}) && (${conditions.map((one) => `(${one})`).join(' || ')}) };`
}

/** A template as `like`: nothing empty between slashes, and no more slashes than it has. */
function pathTest(path: string): string {
  if (path === '') return ''
  if (!path.includes('{*}')) return `context.path == "${path}"`
  const deeper = path
    .split('/')
    .map(() => '*')
    .join('/')
  const like = `context.path like "${path.replaceAll('*', '\\*').replaceAll('{\\*}', '*')}"`
  return `(${like} && !(context.path like "*//*") && !(context.path like "*/") && !(context.path like "${deeper}/*"))`
}
