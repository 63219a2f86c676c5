/**
 * Strings are made into bytes at this length. Measured: a concatenated string of 64 KiB still lies in the processor's cache
 * when it is flattened; one of 1 MiB does not and costs seven times as much a line.
 */
const FLATTEN_CHARACTERS = 1 << 15
const BATCH_BYTES = 1 << 20

/** Gathers lines of one byte a character (ASCII) into batches of about 1 MiB. */
export class LineBuffer {
  lines = 0
  #text = ''
  #bytes: Buffer = Buffer.allocUnsafeSlow(BATCH_BYTES)
  #length = 0

  add(line: string): void {
    this.#text += line
    this.lines++
    if (this.#text.length >= FLATTEN_CHARACTERS) this.#flatten()
  }

  /** True when a batch should be taken before more lines come. */
  get full(): boolean {
    return this.#length > BATCH_BYTES - 4 * FLATTEN_CHARACTERS
  }

  /** What was gathered; the buffer begins anew. */
  take(): { lines: number; bytes: Buffer } {
    this.#flatten()
    const taken = { lines: this.lines, bytes: this.#bytes.subarray(0, this.#length) }
    this.#bytes = Buffer.allocUnsafeSlow(BATCH_BYTES)
    this.#length = 0
    this.lines = 0
    return taken
  }

  #flatten(): void {
    if (this.#length + this.#text.length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(this.#length + this.#text.length + BATCH_BYTES)
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    this.#length += this.#bytes.write(this.#text, this.#length, 'latin1')
    this.#text = ''
  }
}
