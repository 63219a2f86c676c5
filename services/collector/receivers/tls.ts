import { readFileSync } from 'node:fs'
import type { ServerOptions } from 'node:https'
import { createSecureContext } from 'node:tls'
import { ServerCredentials } from '@grpc/grpc-js'
import { CinchError } from '../../model/errors.ts'

/** Paths of PEM files. With `clientCa`, senders may show a certificate of that authority instead of a token. */
export interface TlsFiles {
  certificate: string
  key: string
  clientCa?: string | undefined
}

/** TLS of the receivers, for both of their servers. */
export interface Tls {
  options: Pick<ServerOptions, 'cert' | 'key' | 'ca' | 'requestCert' | 'rejectUnauthorized' | 'minVersion'>
  credentials: ServerCredentials
}

/**
 * Reads the files of TLS. A client may come without a certificate, and then needs a token: who it is, is decided where its
 * request is authenticated, and only a certificate that was verified counts there.
 * @throws CinchError `bad_option` when a file cannot be read, or what is in it is not what it should be
 */
export function readTls({ certificate, key, clientCa }: TlsFiles): Tls {
  const pair = { private_key: read(key), cert_chain: read(certificate) }
  const ca = clientCa === undefined ? undefined : read(clientCa)
  const asked = { requestCert: ca !== undefined, rejectUnauthorized: false }
  checkPair(pair, certificate, ca)
  const credentials = ServerCredentials.createSsl(ca ?? null, [pair], ca !== undefined)
  // The library asks for a certificate only together with refusing those that have none.
  Object.assign(credentials._getConstructorOptions() ?? {}, asked, { minVersion: 'TLSv1.2' })
  return {
    options: { cert: pair.cert_chain, key: pair.private_key, ...(ca ? { ca } : {}), ...asked, minVersion: 'TLSv1.2' },
    credentials,
  }
}

/** The files are looked at here: later a connection would fail, and nobody would hear why. */
function checkPair(pair: { private_key: Buffer; cert_chain: Buffer }, path: string, ca: Buffer | undefined): void {
  try {
    createSecureContext({ key: pair.private_key, cert: pair.cert_chain, ...(ca ? { ca } : {}) })
  } catch (cause) {
    const what = `${path}, its key or the senders’ authority is not what it should be`
    throw new CinchError(
      'bad_option',
      what,
      'give a PEM certificate, the PEM key that it was made with, and PEM authorities',
      {
        cause,
      },
    )
  }
}

function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? cause.code : String(cause)
    throw new CinchError('bad_option', `cannot read ${path}: ${why}`, 'give PEM files that this user may read', {
      cause,
    })
  }
}
