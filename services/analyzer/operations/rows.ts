import { isFixed, isPlaceholder, kindOf, type Token, tokensOf } from './tokens.ts'

/** One distinct path and method of one callee, with what is known of its requests. */
export interface SeenPath {
  method: string
  /** Without a query; typed segments may be replaced already (`{int}`). */
  path: string
  /** The operation that a request names beside its path: GraphQL's `operationName`, JSON-RPC's `method`. */
  operation?: string
  /** True for gRPC: its paths are names, none is a value. */
  named?: boolean
  /** Requests that were served: neither refused by policy nor answered 404. Those teach nothing. */
  requests: number
  /** Who made them. */
  callers: readonly string[]
  /** When the first of them was seen: ISO 8601, UTC. */
  firstSeen?: string
  /** Whether they were made for a user; leave out what is not known. */
  users?: readonly ('user' | 'none')[]
  /** Classes of their status: `2xx`; leave out what is not known. */
  statuses?: readonly string[]
}

/** A seen path, with texts as numbers. */
export interface Row {
  seen: SeenPath
  method: number
  tokens: Int32Array
  requests: number
}

/** Texts as numbers, with what their form tells. The first numbers are the masks of values. */
export class Lexicon {
  readonly texts: string[] = ['/~', '+~', '/~~']
  readonly typed: boolean[] = [false, false, false]
  readonly fixed: boolean[] = [false, false, false]
  readonly placeholder: boolean[] = [false, false, false]
  readonly #ids = new Map<string, number>()

  id(token: Token): number {
    const known = this.#ids.get(token)
    if (known !== undefined) return known
    const id = this.texts.length
    const text = token.slice(1)
    this.#ids.set(token, id)
    this.texts.push(token)
    this.typed.push(kindOf(text) !== undefined)
    this.fixed.push(isFixed(token))
    this.placeholder.push(isPlaceholder(text))
    return id
  }

  find(token: Token): number | undefined {
    return this.#ids.get(token)
  }

  text(id: number): Token {
    return this.texts[id] ?? ''
  }

  /** Whether a typed text may be a name all the same: it has letters in a row, and is not made of hexadecimal digits. */
  hasWord(id: number): boolean {
    return /[g-zG-Z][a-zA-Z]{3,}|[a-zA-Z]{3,}[g-zG-Z]/.test(this.text(id)) && !this.placeholder[id]
  }

  isJoined(id: number): boolean {
    return this.text(id).startsWith('+')
  }
}

/** The method, and the operation that the request names: two requests that differ in it are never one operation. */
export function methodOf({ method, operation }: Pick<SeenPath, 'method' | 'operation'>): string {
  return operation === undefined || operation === '' ? method : `${method} ${operation}`
}

/** The rows of what teaches something; their order says nothing. */
export function rowsOf(seen: Iterable<SeenPath>, lexicon: Lexicon): Row[] {
  const rows: Row[] = []
  for (const path of seen) {
    const tokens = path.requests > 0 && path.named !== true ? tokensOf(path.path) : undefined
    if (!tokens) continue
    const ids = new Int32Array(tokens.length)
    for (const [at, token] of tokens.entries()) ids[at] = lexicon.id(token)
    rows.push({ seen: path, method: lexicon.id(`=${methodOf(path)}`), tokens: ids, requests: path.requests })
  }
  return rows
}
