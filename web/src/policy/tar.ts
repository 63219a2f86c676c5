import type { PolicyFile } from '../data/types.ts'

type Encoder = InstanceType<typeof TextEncoder>

const BLOCK = 512
const NAME_MAX = 100
const PREFIX_MAX = 155

/**
 * The files as one uncompressed tar archive (POSIX ustar), which every system unpacks; no time and no owner are in it,
 * so the same policies give the same bytes. Throws a RangeError when a path does not fit the format.
 */
export function tar(files: readonly PolicyFile[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder()
  const blocks = files.flatMap(({ path, content }) => {
    const body = encoder.encode(content)
    const padded = new Uint8Array(Math.ceil(body.length / BLOCK) * BLOCK)
    padded.set(body)
    return [header(encoder, path, body.length), padded]
  })
  const all = [...blocks, new Uint8Array(2 * BLOCK)]
  const archive = new Uint8Array(all.reduce((sum, block) => sum + block.length, 0))
  let at = 0
  for (const block of all) {
    archive.set(block, at)
    at += block.length
  }
  return archive
}

function header(encoder: Encoder, path: string, size: number): Uint8Array {
  const block = new Uint8Array(BLOCK)
  const put = (offset: number, text: string) => block.set(encoder.encode(text), offset)
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0')
  const { name, prefix } = split(encoder, path)
  put(0, name)
  put(100, `${octal(0o644, 7)}\0`)
  put(108, `${octal(0, 7)}\0`)
  put(116, `${octal(0, 7)}\0`)
  put(124, `${octal(size, 11)}\0`)
  put(136, `${octal(0, 11)}\0`)
  put(148, '        ')
  put(156, '0')
  put(257, 'ustar\x0000')
  put(345, prefix)
  put(
    148,
    `${octal(
      block.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\0 `,
  )
  return block
}

/** Long paths are split at a slash into the header's two fields. */
function split(encoder: Encoder, path: string): { name: string; prefix: string } {
  const length = (text: string) => encoder.encode(text).length
  if (length(path) <= NAME_MAX) return { name: path, prefix: '' }
  for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
    const [prefix, name] = [path.slice(0, slash), path.slice(slash + 1)]
    if (length(name) <= NAME_MAX && length(prefix) <= PREFIX_MAX) return { name, prefix }
  }
  throw new RangeError(`The path ${path} is too long for a tar archive: download this file by itself.`)
}
