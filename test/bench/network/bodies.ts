import { gzipSync } from 'node:zlib'
import { createLines } from '../lines.ts'
import { spanRequests } from '../spans.ts'
import { streamMessages } from './entries.ts'

/** A way in. */
export type Way = 'lines' | 'otlp_http' | 'otlp_grpc' | 'als'

/** What is sent at once, as it goes over the wire, and what is in it. */
export interface Body {
  bytes: Buffer
  records: number
  /** Bytes after unpacking. */
  unpacked: number
}

export interface Load {
  way: Way
  /** Records in a request. */
  batch: number
  /** Records in all. */
  records: number
  /** What the numbers of records begin with: other loads get other bytes, for the same bytes would count once. */
  first: number
  /** When the first request was made, and how many follow in a second; the senders' clock. */
  startMs: number
  perSecond: number
}

/** As SDKs and the Collector pack: both use their library's default level. */
const pack = (bytes: Buffer): Buffer => gzipSync(bytes)

/** All bodies of a load, no two alike. Access log streams are messages of 16 KiB that are not packed: Envoy's are not. */
export function bodiesOf({ way, batch, records, first, startMs, perSecond }: Load): Body[] {
  const bodies: Body[] = []
  const nextLine = createLines(first + 1)
  for (let at = 0; at < records; at += batch) {
    const count = Math.min(batch, records - at)
    const timeMs = Math.floor(startMs + (at * 1000) / perSecond)
    if (way === 'als') {
      const messages = streamMessages(count, first + at, timeMs)
      bodies.push(...messages.map(({ bytes, records }) => ({ bytes, records, unpacked: bytes.length })))
      continue
    }
    const bytes =
      way === 'lines'
        ? Buffer.from(Array.from({ length: count }, () => `${nextLine(timeMs)}\n`).join(''))
        : spanRequests(count, {
            first: first + at,
            startNs: BigInt(startMs) * 1_000_000n - BigInt(first) * stepNs(perSecond),
            stepNs: stepNs(perSecond),
          })
    bodies.push({ bytes: pack(bytes), records: count, unpacked: bytes.length })
  }
  return bodies
}

const stepNs = (perSecond: number) => BigInt(Math.floor(1e9 / perSecond))
