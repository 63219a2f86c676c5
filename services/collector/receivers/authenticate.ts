import { X509Certificate } from 'node:crypto'
import { type Origin, operator } from '../origin.ts'
import type { Credential, Senders } from '../senders.ts'

/** What a receiver knows of whoever connected to it. */
export interface Caller {
  /** The `Authorization` header. */
  authorization: string | undefined
  /** The certificate in DER where TLS has verified it against the clients' authority. */
  certificate?: Uint8Array | undefined
  address: string | undefined
  /** True when a browser sends on behalf of a page: whoever wrote the page is not who sits at this machine. */
  isPage?: boolean
}

/** Says on whose word telemetry of a source is taken; `unknown` or `forbidden` when on nobody's. */
export type Authenticate = (caller: Caller, source: string) => Promise<Origin | 'unknown' | 'forbidden'>

/**
 * Registered senders by the certificate or the token that they show.
 * @param isLoopbackOpen whoever shows nothing and comes from this machine is the operator: only where one was told so
 */
export function createAuthenticate(senders: Pick<Senders, 'authorize'>, isLoopbackOpen = false): Authenticate {
  return async (caller, source) => {
    const credential: Credential = {
      token: bearerOf(caller.authorization),
      spiffe: caller.certificate && spiffeIdOf(caller.certificate),
    }
    const isSilent = !caller.authorization && !caller.certificate
    if (isLoopbackOpen && isSilent && !caller.isPage && isLoopback(caller.address)) return operator()
    if (!credential.token && !credential.spiffe) return 'unknown'
    return await senders.authorize(credential, source)
  }
}

/** The token of `Authorization: Bearer` (RFC 6750, section 2.1). */
function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer +([A-Za-z0-9._~+/=-]+)$/i.exec(header ?? '')?.[1]
}

/**
 * The SPIFFE ID of an X.509-SVID: the one URI among its alternative names (X509-SVID, section 2: exactly one). Names that
 * hold separators are quoted by Node, and are then no SPIFFE ID.
 */
export function spiffeIdOf(certificate: Uint8Array): string | undefined {
  const names = new X509Certificate(certificate).subjectAltName?.split(', ') ?? []
  const uris = names.filter((name) => name.startsWith('URI:'))
  const [uri] = uris
  return uris.length === 1 && uri?.startsWith('URI:spiffe://') ? uri.slice('URI:'.length) : undefined
}

const isLoopback = (address: string | undefined) =>
  address !== undefined && /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/.test(address)
