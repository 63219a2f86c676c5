/** The largest answer that is waited for: several times a fetch (16 MiB), for a broker that keeps larger record batches. */
export const ANSWER_BYTES_MAX = 128 << 20
/** Each answer's length stands before it in so many bytes. */
const LENGTH_BYTES = 4

/** What cuts a broker's bytes into answers: kafkajs' connection (src/network/connection.js). */
export interface Connection {
  socket: { destroy(error: Error): void }
  chunks: Buffer[]
  bytesBuffered: number
  bytesNeeded: number
  processData(bytes: Buffer): void
}

/**
 * Holds a connection to answers that can be: kafkajs throws from its socket's event where one is shorter than its head, which
 * ends the process, and keeps all that comes where one says that it has two gigabytes. Here the connection ends with an error,
 * which is a broker that is away; and the next one begins with nothing of what the last one left.
 */
export function guardFrames(connection: Connection): void {
  const process = connection.processData
  connection.processData = function (this: Connection, bytes) {
    try {
      process.call(this, bytes)
      if (this.bytesNeeded <= ANSWER_BYTES_MAX) return
    } catch {
      // Told below as what it is; the cause names an offset in a buffer.
    }
    this.chunks = []
    this.bytesBuffered = 0
    this.bytesNeeded = LENGTH_BYTES
    this.socket.destroy(new Error('what it says is not the protocol of Kafka'))
  }
}
