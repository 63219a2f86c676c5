/** A number generator: the next value in [0, 1). Same seed and stream, same values. */
export type Random = () => number

/** FNV-1a of `text`, 32 bits: names become stream seeds, so adding one stream never shifts another. */
export function hash32(text: string, seed = 0): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0
  return hash
}

/**
 * sfc32 (Chris Doty-Humphrey's small fast counter generator, public domain), seeded by a number and the stream's name.
 * 128 bits of state: no visible pattern in the hundreds of millions of draws of a large scenario.
 */
export function random(seed: number, stream: string): Random {
  let a = seed | 0
  let b = hash32(stream) | 0
  let c = hash32(stream, seed) | 0
  let counter = 1
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return (sum >>> 0) / 4294967296
  }
  for (let i = 0; i < 16; i++) next()
  return next
}

/** A whole number whose mean is `expected`: the rest is decided by one draw. */
export function roundedAtRandom(expected: number, draw: Random): number {
  const whole = Math.floor(expected)
  return whole + (draw() < expected - whole ? 1 : 0)
}

/** `digits` hexadecimal digits, lower case. */
export function hex(digits: number, draw: Random): string {
  let text = ''
  while (text.length < digits)
    text += Math.floor(draw() * 0x1000000)
      .toString(16)
      .padStart(6, '0')
  return text.slice(0, digits)
}

/** A version 4 UUID. */
export function uuid(draw: Random): string {
  const h = hex(32, draw)
  const variant = '89ab'[Math.floor(draw() * 4)]
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-${variant}${h.slice(17, 20)}-${h.slice(20)}`
}
