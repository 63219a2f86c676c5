import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A cable to a server, which can be pulled and put in again. */
export interface Cable {
  url: string
  pull(): void
  putIn(): Promise<void>
  close(): void
}

export async function cable(to: string): Promise<Cable> {
  const { port: serverPort } = new URL(to)
  const sockets = new Set<Socket>()
  let server: Server | undefined
  let port = 0
  const close = () => {
    server?.close()
    for (const socket of sockets) socket.destroy()
  }
  const putIn = async () => {
    server = createServer((near) => {
      const far = connect(Number(serverPort), '127.0.0.1')
      for (const socket of [near, far]) {
        sockets.add(socket)
        socket.on('error', () => {}).on('close', () => sockets.delete(socket))
      }
      near.pipe(far)
      far.pipe(near)
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }
  await putIn()
  return { url: `http://127.0.0.1:${port}`, pull: close, putIn, close }
}
