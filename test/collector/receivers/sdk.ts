import { credentials, Metadata } from '@grpc/grpc-js'
import { SpanKind } from '@opentelemetry/api'
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace'

export type Way = 'protobuf' | 'json' | 'grpc'

/** The SDK's own exporter for a way in, as an application configures it. */
export function exporter(way: Way, where: { http: string; grpc: string }, token: string, gzip = false): SpanExporter {
  const compression = gzip ? CompressionAlgorithm.GZIP : CompressionAlgorithm.NONE
  const headers = { authorization: `Bearer ${token}` }
  if (way === 'grpc') {
    const metadata = new Metadata()
    metadata.set('authorization', headers.authorization)
    return new GrpcExporter({
      url: `http://${where.grpc}`,
      credentials: credentials.createInsecure(),
      metadata,
      compression,
    })
  }
  const config = { url: `${where.http}/v1/traces`, headers, compression }
  return way === 'json' ? new JsonExporter(config) : new ProtobufExporter(config)
}

/** `calls` calls from one service to another, as two instrumented services send them: the SDK batches and exports. */
export async function sendCalls(
  exporters: { caller: SpanExporter; callee: SpanExporter },
  calls: number,
): Promise<void> {
  const provider = (service: string, to: SpanExporter) =>
    new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': service, 'k8s.namespace.name': 'shop' }),
      spanProcessors: [new BatchSpanProcessor({ exporter: to, maxQueueSize: 1 << 16 })],
    })
  const providers = [provider('web', exporters.caller), provider('orders', exporters.callee)] as const
  const [web, orders] = [providers[0].getTracer('test'), providers[1].getTracer('test')]
  const { context, trace } = await import('@opentelemetry/api')
  for (let call = 0; call < calls; call++) {
    const client = web.startSpan('GET', { kind: SpanKind.CLIENT, attributes: { 'http.request.method': 'GET' } })
    const attributes = { 'http.request.method': 'GET', 'url.path': `/orders/${call}`, 'http.route': '/orders/{id}' }
    const parent = trace.setSpan(context.active(), client)
    orders.startSpan('GET /orders/{id}', { kind: SpanKind.SERVER, attributes }, parent).end()
    client.end()
  }
  for (const each of providers) await each.forceFlush()
  for (const each of providers) await each.shutdown()
}
