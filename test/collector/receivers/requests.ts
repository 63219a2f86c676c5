import { createHash } from 'node:crypto'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { buffer } from 'node:stream/consumers'
import protobuf from 'protobufjs'
import { type TestResource, toProtobuf } from '../otlp.ts'

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/** Sends one request as an exporter does; protobuf where no type is given, and none where the type is ''. */
export async function request(
  url: string,
  body: Uint8Array | string,
  headers: Record<string, string> = {},
  method = 'POST',
  tls: RequestOptions = {},
): Promise<Answer> {
  const all: Record<string, string> = { 'content-type': 'application/x-protobuf', ...headers }
  if (all['content-type'] === '') delete all['content-type']
  const bytes = Buffer.from(body)
  if (!all['transfer-encoding']) all['content-length'] = String(bytes.length)
  return await new Promise((resolve, reject) => {
    const ask = url.startsWith('https:') ? httpsRequest : httpRequest
    const sent = ask(url, { method, headers: all, agent: false, ...tls }, (response) => {
      buffer(response).then(
        (answer) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: answer }),
        reject,
      )
    })
    sent.once('error', reject)
    sent.end(bytes)
  })
}

/** Spans of one service, of which no two are alike, and none like one of another `name`. */
export function spansOf(name: string, count: number, service = 'orders'): TestResource[] {
  const traceId = createHash('sha256').update(name).digest('hex').slice(0, 32)
  const spans = Array.from({ length: count }, (_, index) => ({
    traceId,
    spanId: (index + 1).toString(16).padStart(16, '0'),
    name: 'GET /orders',
    kind: 'SPAN_KIND_SERVER',
    startTimeUnixNano: String(BigInt(Date.parse('2026-11-05T10:00:00Z')) * 1_000_000n + BigInt(index)),
  }))
  return [{ attributes: { 'service.name': service, 'k8s.namespace.name': 'shop' }, spans }]
}

export const traceRequest = (name: string, count: number) => toProtobuf(spansOf(name, count))

const { root } = protobuf.parse('syntax = "proto3"; message Status { int32 code = 1; string message = 2; }')

/** `google.rpc.Status` as protobufjs reads it. */
export const protobufStatus = (body: Buffer) =>
  root.lookupType('Status').decode(body) as unknown as { code: number; message: string }
