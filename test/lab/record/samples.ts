import { ALS_DEFAULT, ALS_RECOMMENDED, OTEL_ATTRIBUTES, OTEL_BODY } from './loggers.ts'
import type { Recording } from './record.ts'
import { changed, framed } from './wire.ts'

/** What samples are cut from a recording: by source, file and content. */
export function samplesOf({ received }: Recording): Record<string, Record<string, Buffer>> {
  const streams = (log: string) =>
    received.als.filter(([first]) =>
      ['http', 'tcp'].some((kind) => first?.includes(framed(2, Buffer.from(`${log}_${kind}`)))),
    )
  const requests = [...received.grpcLogs, ...received.httpLogs]
  const named = (...names: string[]) => requests.filter((request) => names.every((name) => request.includes(name)))
  return {
    'envoy-als': {
      'default.binpb': batch(streams(ALS_DEFAULT)),
      'recommended.binpb': batch(streams(ALS_RECOMMENDED)),
    },
    'otlp-logs': {
      'attributes.binpb': Buffer.concat(named(OTEL_ATTRIBUTES, 'node_name')),
      'body.binpb': Buffer.concat(
        named(OTEL_BODY, 'node_name').filter((request) => !request.includes('access_log_type')),
      ),
      'istio-text.binpb': Buffer.concat(requests.filter((request) => !request.includes('node_name'))),
    },
  }
}

/** Streams as elements of an `AlsBatch`, each with all that came on it. */
export function batch(streams: Buffer[][]): Buffer {
  return Buffer.concat(streams.map((messages) => framed(1, Buffer.concat(messages.map(withoutExtensions)))))
}

/** An Envoy names all of its 800 extensions in a stream's first message (node.extensions), 60 kB of them: not in samples. */
const withoutExtensions = (message: Buffer) => changed(message, [1, 1, 9], () => undefined)
