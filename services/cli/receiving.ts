import type { Cinch } from '../api/cinch.ts'
import { QUOTA_BYTES_PER_SECOND } from '../collector/gather/quota.ts'
import { OTLP_GRPC_PORT, OTLP_HTTP_PORT, type Receivers, startReceivers } from '../collector/receivers/listen.ts'
import type { TlsFiles } from '../collector/receivers/tls.ts'
import { CinchError } from '../model/errors.ts'
import type { Context } from './command.ts'
import type { Arguments, Options } from './options.ts'

/** Options of `cinch serve` for OTLP and for Envoy's access log service. Nothing listens unless one of the first three asks. */
export const RECEIVER_OPTIONS: Options = {
  receivers: { type: 'boolean', help: 'listen for OTLP and for Envoy’s access log service (also CINCH_RECEIVERS=1)' },
  'otlp-http-port': {
    type: 'string',
    value: 'N',
    help: `port of OTLP/HTTP, 0 for any free one, off (default with --receivers ${OTLP_HTTP_PORT})`,
  },
  'otlp-grpc-port': {
    type: 'string',
    value: 'N',
    help: `port of OTLP/gRPC and Envoy’s access log service, 0, off (default with --receivers ${OTLP_GRPC_PORT})`,
  },
  'tls-cert': {
    type: 'string',
    value: 'FILE',
    help: 'certificate of the receivers (PEM); with --tls-key they speak TLS',
  },
  'tls-key': { type: 'string', value: 'FILE', help: 'its key (PEM)' },
  'tls-client-ca': {
    type: 'string',
    value: 'FILE',
    help: 'authority of the senders’ certificates (PEM): senders are then known by their SPIFFE ID',
  },
  'loopback-senders': {
    type: 'boolean',
    help: 'whoever connects from this machine and shows nothing is taken for you (also CINCH_LOOPBACK_SENDERS=1)',
  },
  'quota-bytes-per-second': {
    type: 'string',
    value: 'N',
    help: `unpacked bytes that a sender may send on average (default ${QUOTA_BYTES_PER_SECOND})`,
  },
}

/**
 * The quota of a sender.
 * @throws CinchError `bad_option`
 */
export function quotaOption(args: Arguments): number {
  const text = args.text('quota-bytes-per-second') ?? String(QUOTA_BYTES_PER_SECOND)
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new CinchError('bad_option', `--quota-bytes-per-second ${text} is no quota`, 'give a number of bytes above 0')
  return Number(text)
}

/**
 * Starts the receivers that were asked for, and says where they are.
 * @returns ends them
 * @throws CinchError `bad_option`
 */
export async function startOtlp(
  cinch: Cinch,
  host: string,
  { args, print, note }: Pick<Context, 'args' | 'print' | 'note'>,
): Promise<() => Promise<void>> {
  const isAsked = args.flag('receivers') || process.env['CINCH_RECEIVERS'] === '1'
  const httpPort = portOption(args, 'otlp-http-port', isAsked ? OTLP_HTTP_PORT : undefined)
  const grpcPort = portOption(args, 'otlp-grpc-port', isAsked ? OTLP_GRPC_PORT : undefined)
  if (httpPort === undefined && grpcPort === undefined) return async () => {}
  const tls = tlsOptions(args)
  const isLoopbackOpen = args.flag('loopback-senders') || process.env['CINCH_LOOPBACK_SENDERS'] === '1'
  const needs = {
    gatherer: await cinch.gatherer(),
    senders: cinch.senders,
    observe: cinch.observe,
    onFault: (error: unknown) => note(`a receiver failed: ${error instanceof Error ? error.name : 'unknown'}`),
  }
  const receivers: Receivers = await startReceivers(needs, { host, httpPort, grpcPort, tls, isLoopbackOpen })
  if (receivers.http) print(`OTLP/HTTP is at ${receivers.http}`)
  if (receivers.grpc) print(`OTLP/gRPC and Envoy’s access log service are at ${receivers.grpc}`)
  return () => receivers.close()
}

function portOption(args: Arguments, name: string, otherwise: number | undefined): number | undefined {
  const text = args.text(name)
  if (text === undefined) return otherwise
  if (text === 'off') return undefined
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new CinchError('bad_option', `--${name} ${text} is no port`, 'give a number from 0 to 65535, or off')
  return Number(text)
}

function tlsOptions(args: Arguments): TlsFiles | undefined {
  const [certificate, key, clientCa] = ['tls-cert', 'tls-key', 'tls-client-ca'].map((name) => args.text(name))
  if (certificate === undefined && key === undefined && clientCa === undefined) return undefined
  if (certificate === undefined || key === undefined)
    throw new CinchError('bad_option', 'TLS needs a certificate and its key', 'give both --tls-cert and --tls-key')
  return { certificate, key, clientCa }
}
