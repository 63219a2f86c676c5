import fc from 'fast-check'

/** What happens to log lines on their way: bytes lost, changed or put in; a newline would make two lines of one. */
export function mutated(lines: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const line = fc.constantFrom(...lines)
  const at = fc.nat(100_000)
  const byte = fc.integer({ min: 0, max: 255 })
  const spliced = (arbitrary: fc.Arbitrary<Buffer>) =>
    fc.tuple(line, at, fc.nat(6), arbitrary).map(([base, where, cut, insert]) => {
      const position = where % base.length
      return Buffer.concat([base.subarray(0, position), insert, base.subarray(position + cut)])
    })
  const one = fc.oneof(
    spliced(fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes))),
    spliced(
      fc
        .constantFrom(
          '\0',
          '\0\0\0',
          '\xff\xfe',
          '"',
          '\\"',
          '{',
          '}',
          '|',
          '[',
          ']',
          '{{{',
          '-',
          "'",
          '\t',
          '\u2028',
          '😀',
          ' ',
        )
        .map((text) => Buffer.from(text)),
    ),
    fc.tuple(line, at).map(([base, end]) => base.subarray(0, 1 + (end % base.length))),
    fc.tuple(line, at, byte).map(([base, where, value]) => {
      const copy = Buffer.from(base)
      copy[where % copy.length] = value
      return copy
    }),
    fc.tuple(line, line, at).map(([a, b, where]) => Buffer.concat([a.subarray(0, where % a.length), b])),
    fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.string({ minLength: 1, unit: 'binary' }).map((text) => Buffer.from(text)),
  )
  return one.map((bytes) => Buffer.from(bytes.map((value) => (value === 0x0a ? 0x20 : value))))
}

/** Values that a JSON key may come with, from what proxies write to what breaks readers. */
const VALUES = [
  '',
  '-',
  null,
  0,
  -1,
  1.5,
  1e308,
  '12',
  '-12',
  '99999999999999999999',
  99999999999999999999n,
  true,
  [],
  {},
  [[[]]],
  { a: { b: ['c'] } },
  '\u0000',
  '[fd00::1]:80',
  'fd00::1',
  '10.0.0.1',
  '10.0.0.1:0',
  ':',
  '|||',
  'a|b|c|d|e',
  'outbound|x||',
  'outbound_.80_._.',
  'spiffe://',
  'spiffe://a',
  '\\',
  '"',
  'x'.repeat(20_000),
]

/** A JSON object's line with keys given other values, twice, dropped, or added. */
export function mutatedJson(lines: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const objects = lines.map((line) => JSON.parse(line.toString()) as Record<string, unknown>)
  const value = fc
    .constantFrom(...VALUES)
    .map((given) => (typeof given === 'bigint' ? String(given) : JSON.stringify(given)))
  return fc.constantFrom(...objects).chain((object) => {
    const key = fc.constantFrom(...Object.keys(object), 'unknown', 'log', 'message', 'kubernetes')
    const changes = fc.array(fc.tuple(key, value, fc.constantFrom('replace', 'repeat', 'drop')), {
      minLength: 1,
      maxLength: 4,
    })
    return changes.map((list) => {
      const pairs = Object.entries(object).map(([name, given]) => [name, JSON.stringify(given)] as [string, string])
      for (const [name, given, how] of list) {
        const index = pairs.findIndex(([known]) => known === name)
        if (index >= 0 && how !== 'repeat') pairs.splice(index, 1)
        if (how !== 'drop') pairs.push([name, given])
      }
      return Buffer.from(`{${pairs.map(([name, given]) => `${JSON.stringify(name)}:${given}`).join(',')}}`)
    })
  })
}

const JSON_BOMB = `{"start_time":"2026-11-22T18:46:18.778Z","x":${'['.repeat(50_000)}${']'.repeat(50_000)}}`

/** Lines that have broken readers of logs before; each is one line. */
export function awkward(good: Buffer): Buffer[] {
  const text = good.toString()
  const lines = [
    `${text} `,
    ` ${text}`,
    `\ufeff${text}`,
    `${text}\r`,
    `${text}${text}`,
    '-',
    ' ',
    '\t',
    '{}',
    '[]',
    '{',
    '[',
    '""',
    'null',
    '0',
    '{"start_time":',
    '[2026-11-22T18:46:18.778Z]',
    '[9999-99-99T99:99:99Z] "GET / HTTP/1.1" 200',
    JSON_BOMB,
    `{"a":`.repeat(5_000),
    `${text.slice(0, -1)}${'x'.repeat(300_000)}`,
    'y'.repeat(1_000_000),
    '\0'.repeat(1_000),
    `{"log":"${'\\'.repeat(999)}`,
    '{"log":{"a":1}}',
    '{"log":"","kubernetes":7}',
    '{"message":null}',
    '{"kubernetes":{"namespace_name":[]}}',
    '[pod/a/istio-proxy] ',
    '[pod/',
    '2025-01-30T12:10:13.682034460Z',
    '2025-01-30T12:10:13.682034460Z stdout F ',
    '2025-01-30T12:10:13.682034460Z stdout P {"a"',
  ]
  return [
    ...lines.map((line) => Buffer.from(line)),
    Buffer.from([0xff, 0xfe, 0xfd]),
    Buffer.from([0xc3]),
    Buffer.concat([good, Buffer.from([0x80])]),
  ]
}
