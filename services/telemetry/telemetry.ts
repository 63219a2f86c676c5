import type { Exporter } from './registry.ts'
import { Registry } from './registry.ts'

export type Severity = 'info' | 'warn' | 'error'

/** One request to the API, from its first byte to its answer. */
export interface RequestSpan {
  /** @param route the template that matched, never the path itself */
  end(route: string, status: number): void
}

/** Cinch's telemetry about itself. Figures are always kept; traces, logs and their export are there when they are asked for. */
export interface Telemetry {
  registry: Registry
  /** What was said to the operator, exported as a log record. */
  log(severity: Severity, text: string): void
  /** Begins a request's span and goes on within it. */
  request(method: string, goOn: () => void): RequestSpan
  /** Sends what is left; at most `SHUTDOWN_MS`. */
  shutdown(): Promise<void>
}

/** What exports; see `otlp.ts`, the only file that knows the SDK. */
export interface Otlp extends Exporter {
  log: Telemetry['log']
  request: Telemetry['request']
  shutdown(): Promise<void>
}

const SIGNALS = ['TRACES', 'METRICS', 'LOGS']

/** Whether OpenTelemetry's standard variables name an endpoint to export to. */
export function exportIsAsked(env: NodeJS.ProcessEnv): boolean {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return false
  return ['OTEL_EXPORTER_OTLP_ENDPOINT', ...SIGNALS.map((signal) => `OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`)].some(
    (name) => (env[name] ?? '') !== '',
  )
}

/** How long a shutdown waits for an endpoint that does not answer. */
const SHUTDOWN_MS = 5000

/**
 * Opens the telemetry of this process. The SDK is loaded only where an endpoint is named: it takes half a second and
 * forty megabytes.
 */
export async function openTelemetry(env: NodeJS.ProcessEnv = process.env): Promise<Telemetry> {
  const registry = new Registry()
  registry.gauge({ name: 'process.memory.usage', unit: 'By', description: 'Resident memory of this process.' }, () =>
    process.memoryUsage.rss(),
  )
  if (!exportIsAsked(env)) return silent(registry)
  const otlp = await (await import('./otlp.ts')).startOtlp(registry, env)
  registry.attach(otlp)
  return {
    registry,
    log: otlp.log,
    request: otlp.request,
    shutdown: async () => {
      registry.detach()
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, SHUTDOWN_MS)
      })
      await Promise.race([otlp.shutdown().catch(() => {}), late])
      clearTimeout(timer)
    },
  }
}

/** Figures without export: what a server has when nobody asked for more. */
export function silent(registry = new Registry()): Telemetry {
  return {
    registry,
    log: () => {},
    request: (_method, goOn) => {
      goOn()
      return { end: () => {} }
    },
    shutdown: async () => {},
  }
}
