import { gzipSync } from 'node:zlib'
import { createLines } from '../lines.ts'
import { markedCall, spanRequests } from '../spans.ts'
import { streamMessages } from './entries.ts'

/** A way in. */
export type Way = 'lines' | 'otlp_http' | 'otlp_grpc' | 'als'

/** What is sent at once, as it goes over the wire, and what is in it. */
export interface Body {
  bytes: Buffer
  records: number
  /** Bytes after unpacking. */
  unpacked: number
  /** The caller that only this body names. */
  mark?: string | undefined
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
  /** Calls that nobody else makes, so many in a second: `mark-0000` in the namespace `marks` and so on, a body each. */
  marksPerSecond?: number
}

/** As SDKs and the Collector pack: both use their library's default level. */
const pack = (bytes: Buffer): Buffer => gzipSync(bytes)

/** All bodies of a load, no two alike. Access log streams are messages of 16 KiB that are not packed: Envoy's are not. */
export function bodiesOf({ way, batch, records, first, startMs, perSecond, marksPerSecond = 0 }: Load): Body[] {
  const bodies: Body[] = []
  const nextLine = createLines(first + 1)
  let marks = 0
  for (let at = 0; at < records; at += batch) {
    const count = Math.min(batch, records - at)
    const timeMs = Math.floor(startMs + (at * 1000) / perSecond)
    if (way === 'als') {
      const messages = streamMessages(count, first + at, timeMs)
      bodies.push(...messages.map(({ bytes, records }) => ({ bytes, records, unpacked: bytes.length })))
      continue
    }
    const isMarked = (at / perSecond) * marksPerSecond > marks
    const mark = isMarked ? `mark-${String(marks++).padStart(4, '0')}` : undefined
    const bytes =
      way === 'lines'
        ? Buffer.from(Array.from({ length: count }, () => `${nextLine(timeMs)}\n`).join(''))
        : spanRequests(count, {
            first: first + at,
            startNs: timeNs(startMs) - BigInt(first) * stepNs(perSecond),
            stepNs: stepNs(perSecond),
          })
    if (!mark) bodies.push({ bytes: pack(bytes), records: count, unpacked: bytes.length })
    else {
      const added = way === 'lines' ? Buffer.from(markedLine(nextLine(timeMs), mark)) : markedCall(mark, timeNs(timeMs))
      const both = Buffer.concat([bytes, added])
      bodies.push({ bytes: pack(both), records: count + (way === 'lines' ? 1 : 2), unpacked: both.length, mark })
    }
  }
  return bodies
}

const timeNs = (timeMs: number) => BigInt(timeMs) * 1_000_000n

/** The same line of another caller. */
function markedLine(line: string, caller: string): string {
  return `${JSON.stringify({ ...JSON.parse(line), source_principal: `spiffe://cluster.local/ns/marks/sa/${caller}` })}\n`
}

const stepNs = (perSecond: number) => BigInt(Math.floor(1e9 / perSecond))
