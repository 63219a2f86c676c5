import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { createLanes } from '../../../services/collector/lanes.ts'

/** How an answer is lost. All but `refused` come after the store did what it was asked for. */
export const LOSSES = {
  /** The connection is cut before any of the answer comes. */
  reset: (_: Answer, to: ServerResponse) => void to.destroy(),
  /** The connection is cut in the middle of a success. */
  cut: (_: Answer, to: ServerResponse) => {
    to.writeHead(200, { 'content-type': 'text/plain; charset=UTF-8' })
    to.write(' ', () => to.destroy())
  },
  /** A proxy, or the server after its work, calls it a failure. */
  error: (_: Answer, to: ServerResponse) => {
    to.writeHead(500, { 'x-clickhouse-exception-code': '159' }).end(
      'Code: 159. DB::Exception: Timeout exceeded. (TIMEOUT_EXCEEDED)\n',
    )
  },
} satisfies Record<string, (answer: Answer, to: ServerResponse) => void>

export type Loss = keyof typeof LOSSES

interface Answer {
  status: number
  headers: IncomingMessage['headers']
  body: Buffer
}

/** A way to a ClickHouse server on which answers are lost. */
export interface Lossy {
  url: string
  /**
   * Says for each statement, once the server has done it and before its asker hears of it, how its answer is lost; undefined
   * lets it through. May wait, and do anything else meanwhile.
   */
  lose: (sql: string) => Promise<Loss | undefined> | Loss | undefined
  /** Where it leads to; may be changed when the server was started anew. */
  to: string
  close(): void
}

/** A statement goes in the URL: as much of it as the server takes. */
const URI_BYTES_MAX = 1 << 20

/** One statement passes after another: which one is lost is then certain, and a server ends with none at work, where chDB may hang. */
export async function lossy(to: string): Promise<Lossy> {
  const one = createLanes([0])
  const server: Server = createServer({ maxHeaderSize: URI_BYTES_MAX }, (asked, answered) => {
    pass(way, one, asked, answered).catch(() => answered.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const way: Lossy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    to,
    lose: () => undefined,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
  return way
}

async function pass(
  way: Lossy,
  one: ReturnType<typeof createLanes<number>>,
  asked: IncomingMessage,
  answered: ServerResponse,
): Promise<void> {
  const body = await buffer(asked)
  await one(async () => {
    const url = new URL(asked.url ?? '/', way.to)
    const answer = await forward(url, asked, body)
    const loss = await way.lose(url.searchParams.get('query') ?? body.toString('utf8'))
    if (loss) LOSSES[loss](answer, answered)
    else answered.writeHead(answer.status, answer.headers).end(answer.body)
  })
}

async function forward(url: URL, { method, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
  const sent = request(url, { method, headers: { ...ended(headers), 'content-length': body.length }, agent: false })
  sent.end(body)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  return { status: answer.statusCode ?? 500, headers: ended(answer.headers), body: await buffer(answer) }
}

/** Headers from end to end, and no word on how a body comes: it comes as a whole here. */
function ended(headers: IncomingMessage['headers']): IncomingMessage['headers'] {
  const { 'transfer-encoding': _, 'content-length': __, connection: ___, 'keep-alive': ____, ...rest } = headers
  return rest
}
