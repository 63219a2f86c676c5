import { context, logs, metrics, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { NodeSDK } from '@opentelemetry/sdk-node'
import type { Attributes, Gauge } from '../collector/observe.ts'
import { INSTRUMENTS, type InstrumentName } from './instruments.ts'
import type { Registry } from './registry.ts'
import type { Otlp, Severity } from './telemetry.ts'

const SCOPE = 'cinch'
/** Severity numbers of OpenTelemetry's log data model. */
const SEVERITY: Record<Severity, number> = { info: 9, warn: 13, error: 17 }

/**
 * Starts OpenTelemetry's SDK with its standard variables, and connects the registry to it: counters and gauges are read
 * when they are exported, histograms and spans go as they come.
 */
export async function startOtlp(registry: Registry, env: NodeJS.ProcessEnv): Promise<Otlp> {
  prepare(env)
  const named = env['OTEL_SERVICE_NAME'] || /(^|,)\s*service\.name=/.test(env['OTEL_RESOURCE_ATTRIBUTES'] ?? '')
  const sdk = new NodeSDK(named ? {} : { serviceName: SCOPE })
  sdk.start()
  const tracer = trace.getTracer(SCOPE)
  const logger = logs.getLogger(SCOPE)
  return {
    ...connectMetrics(registry),
    span: (name, attributes, work) =>
      tracer.startActiveSpan(name, { attributes }, async (span) => {
        try {
          return await work()
        } catch (error) {
          fail(span, error)
          throw error
        } finally {
          span.end()
        }
      }),
    request: (method, goOn) => {
      // A caller's own trace is not joined: who may not even log in would decide what is sampled.
      const span = tracer.startSpan(method, { kind: SpanKind.SERVER, root: true })
      span.setAttribute('http.request.method', method)
      context.with(trace.setSpan(context.active(), span), goOn)
      return {
        end: (route, status) => {
          span.updateName(`${method} ${route}`)
          span.setAttributes({ 'http.route': route, 'http.response.status_code': status })
          if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
          span.end()
        },
      }
    },
    log: (severity, text) =>
      logger.emit({ severityNumber: SEVERITY[severity], severityText: severity.toUpperCase(), body: text }),
    shutdown: () => sdk.shutdown(),
  }
}

/** A kind of error, not its message: that may hold what somebody sent. */
function fail(span: Span, error: unknown): void {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
  span.setAttribute('error.type', code ?? (error instanceof Error ? error.name : 'unknown'))
  span.setStatus({ code: SpanStatusCode.ERROR })
}

function prepare(env: NodeJS.ProcessEnv): void {
  // The SDK's own choice includes the command line, which may hold the password of a store.
  env['OTEL_NODE_RESOURCE_DETECTORS'] ??= 'env,host,os,serviceinstance'
  if (env['OTEL_EXPORTER_OTLP_ENDPOINT']) return
  for (const signal of ['TRACES', 'METRICS', 'LOGS'])
    if (!env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]) env[`OTEL_${signal}_EXPORTER`] ??= 'none'
}

function connectMetrics(registry: Registry): Pick<Otlp, 'record' | 'gauge'> {
  const meter = metrics.getMeter(SCOPE)
  const histograms = new Map<InstrumentName, { record(value: number, attributes: Attributes): void }>()
  for (const [key, { kind, unit, description, bounds }] of Object.entries(INSTRUMENTS)) {
    const name = key as InstrumentName
    if (kind === 'histogram') {
      const advice = { explicitBucketBoundaries: bounds ?? [] }
      histograms.set(name, meter.createHistogram(name, { unit, description, advice }))
      continue
    }
    meter.createObservableCounter(name, { unit, description }).addCallback((result) => {
      for (const { value, attributes } of registry.counters.get(name)?.values() ?? []) result.observe(value, attributes)
    })
  }
  return {
    record: (name, value, attributes) => histograms.get(name)?.record(value, attributes),
    gauge: ({ name, unit, description }: Gauge) =>
      meter.createObservableGauge(name, { unit, description }).addCallback((result) => {
        for (const gauge of registry.gauges())
          if (gauge.name === name) result.observe(gauge.value, gauge.attributes ?? {})
      }),
  }
}
