export interface Token {
  kind: 'key' | 'text' | 'comment' | 'mark'
  text: string
}

const LINE = /^(\s*(?:- )*)(?:([^\s#'"][^:#'"]*|"[^"]*"|'[^']*')(:)(?=\s|$))?(.*)$/

/** A line of YAML in parts for colouring. Only colouring: a part that is misjudged keeps its text. */
export function tokens(line: string): Token[] {
  if (/^\s*#/.test(line)) return [{ kind: 'comment', text: line }]
  const [, indent = '', key = '', colon = '', rest = ''] = LINE.exec(line) ?? []
  const parts: Token[] = [
    { kind: 'mark', text: indent },
    { kind: 'key', text: key },
    { kind: 'mark', text: colon },
    { kind: 'text', text: rest },
  ]
  const whole = parts.map((part) => part.text).join('')
  return whole === line ? parts.filter((part) => part.text !== '') : [{ kind: 'text', text: line }]
}
