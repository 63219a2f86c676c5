import { OTLPMetricExporter as JsonExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPMetricExporter as ProtobufExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AggregationTemporality, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { istioLabels, listen } from './target.ts'

export interface SdkRun {
  /** Each request's body, as the SDK's exporter sent it. */
  bodies: Buffer[]
  /** What the program counted: by plan, not by its telemetry. */
  truth: { answered: number; failed: number; sent: number; mesh: number }
}

/**
 * A program with the OpenTelemetry SDK counts requests, and its own exporter sends them: over protobuf with cumulative points, or
 * as JSON with delta points.
 */
export async function runSdk(form: 'protobuf' | 'json', instance: string): Promise<SdkRun> {
  const bodies: Buffer[] = []
  const sink = await listen(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    bodies.push(Buffer.concat(parts))
    response.end()
  })
  const { DELTA, CUMULATIVE } = AggregationTemporality
  const options = { url: `${sink.url}/v1/metrics`, temporalityPreference: form === 'json' ? DELTA : CUMULATIVE }
  const exporter = form === 'json' ? new JsonExporter(options) : new ProtobufExporter(options)
  const reader = new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: 3_600_000,
    exportTimeoutMillis: 10_000,
  })
  const provider = new MeterProvider({
    resource: resourceFromAttributes({
      'service.name': 'orders',
      'service.instance.id': instance,
      'k8s.namespace.name': 'shop',
      'k8s.deployment.name': 'orders-v2',
    }),
    readers: [reader],
  })
  const meter = provider.getMeter('test')
  const server = meter.createHistogram('http.server.request.duration', { unit: 's' })
  const client = meter.createHistogram('http.client.request.duration', { unit: 's' })
  const mesh = meter.createCounter('istio_requests_total')
  const gauge = meter.createUpDownCounter('http.server.active_requests')
  const truth = { answered: 0, failed: 0, sent: 0, mesh: 0 }
  for (const requests of [3, 0, 11, 7]) {
    for (let request = 0; request < requests; request++) {
      server.record(0.01, {
        'http.request.method': 'GET',
        'http.route': '/orders/{id}',
        'http.response.status_code': 200,
      })
      client.record(0.02, {
        'http.request.method': 'POST',
        'http.response.status_code': 201,
        'server.address': 'payments.bank.svc.cluster.local',
      })
      truth.answered++
      truth.sent++
    }
    server.record(0.5, { 'http.request.method': 'GET', 'http.response.status_code': 500 })
    truth.failed++
    mesh.add(requests, istioLabels('web', 'orders-v2'))
    truth.mesh += requests
    gauge.add(1)
    // The SDK's clock has whole milliseconds, and a point that ends in the one in which it began says that its start is unknown.
    await new Promise((resolve) => setTimeout(resolve, 5))
    await provider.forceFlush()
  }
  await provider.shutdown()
  await sink.close()
  return { bodies, truth }
}
