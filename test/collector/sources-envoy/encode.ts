/** A field's value: a number, a text, bytes, or the fields of a message. */
export type Value = number | bigint | string | Buffer | Fields
export type Fields = [id: number, value: Value][]

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return Buffer.from([...bytes, Number(rest)])
}

/** A message of protobuf (protobuf.dev/programming-guides/encoding). */
export function message(fields: Fields): Buffer {
  return Buffer.concat(
    fields.map(([id, value]) => {
      if (typeof value === 'number' || typeof value === 'bigint')
        return Buffer.concat([varint(BigInt(id * 8)), varint(BigInt(value))])
      const bytes = Buffer.isBuffer(value) ? value : typeof value === 'string' ? Buffer.from(value) : message(value)
      return Buffer.concat([varint(BigInt(id * 8 + 2)), varint(BigInt(bytes.length)), bytes])
    }),
  )
}

/** An entry of a map, or of a list of keys and values. */
export const pair = (key: string, value: Value): Fields => [
  [1, key],
  [2, value],
]

const START_TIME = 1_795_535_537

/** An address of `envoy.config.core.v3.Address`. */
export const socket = (host: string, port: number): Fields => [
  [
    1,
    [
      [2, host],
      [3, port],
    ],
  ],
]
export const pipe = (path: string): Fields => [[2, [[1, path]]]]
export const internal = (listener: string, endpoint: string): Fields => [
  [
    3,
    [
      [1, listener],
      [2, endpoint],
    ],
  ],
]

/** What an HTTP entry of the tests says; the rest is as in any inbound request of `orders`. */
export interface Entry {
  path?: string | Buffer
  userAgent?: string
  /** Seconds since 1970. */
  seconds?: number
  common?: Fields
  request?: Fields
  response?: Fields
}

/** `HTTPAccessLogEntry` */
export const httpEntry = ({
  path = '/orders/1',
  userAgent = 'test',
  seconds = START_TIME,
  common = [],
  request = [],
  response = [],
}: Entry): Fields => [
  [
    1,
    [
      [
        5,
        [
          [1, seconds],
          [2, 5_000_000],
        ],
      ],
      [15, 'inbound|8080||'],
      [33, 6],
      ...common,
    ],
  ],
  [2, 2],
  [3, [[1, 1], [3, 'orders'], [5, path], [6, userAgent], ...request]],
  [4, [[1, [[1, 200]]], [6, 'via_upstream'], ...response]],
]

/** One element of an `AlsBatch`: a stream of the proxy `orders` in `shop` with these entries. */
export function stream(entries: Fields[], kind: 'http' | 'tcp' = 'http', node: Fields = ORDERS): Buffer {
  const logs: Fields = entries.map((entry) => [1, entry])
  return message([
    [
      1,
      [
        [
          1,
          [
            [1, node],
            [2, 'test'],
          ],
        ],
        [kind === 'http' ? 2 : 3, logs],
      ],
    ],
  ])
}

export const ORDERS: Fields = [[1, 'sidecar~10.0.0.8~orders-7d9c5b8f6-x2x4z.shop~shop.svc.cluster.local']]
