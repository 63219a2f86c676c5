import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { filter, type Json } from './parts.ts'

export const ISSUER = 'https://issuer.shop.example'
const AUDIENCE = 'shop'
/** Tokens live as long as a session of a shift. */
const TOKEN_LIFETIME_S = 1_800

export type Keys = { keys: JWK[] }

/** A user as the directory has it. */
export interface User {
  name: string
  groups: string[]
  /** How strongly this user logs in. */
  acr: 'urn:mfa:phishing-resistant' | 'urn:pwd'
  amr: string[]
}

export interface Issuer {
  keys: Keys
  /** A signed token (ES256) of a user who authenticated at `authTime` (seconds since 1970). */
  sign(user: User, authTime: number): Promise<string>
}

/** A small OpenID provider's heart: a key pair that lives as long as the mesh. */
export async function createIssuer(): Promise<Issuer> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), alg: 'ES256', use: 'sig', kid: 'lab-1' }
  return {
    keys: { keys: [jwk] },
    sign: async ({ name, groups, acr, amr }, authTime) =>
      await new SignJWT({ groups, acr, amr, auth_time: authTime })
        .setProtectedHeader({ alg: 'ES256', kid: 'lab-1' })
        .setIssuer(ISSUER)
        .setSubject(name)
        .setAudience(AUDIENCE)
        .setIssuedAt(authTime)
        .setExpirationTime(authTime + TOKEN_LIFETIME_S)
        .sign(privateKey),
  }
}

/**
 * Envoy's check of tokens. A wrong token is refused everywhere (RequestAuthentication), an absent one only where `demanded`
 * matches. The payload is kept where the recommended log format looks for it.
 */
export function jwtFilter(keys: Keys, demanded: Json[]): Json {
  const provider = { provider_name: 'issuer' }
  return filter('envoy.filters.http.jwt_authn', 'filters.http.jwt_authn.v3.JwtAuthentication', {
    providers: {
      issuer: {
        issuer: ISSUER,
        audiences: [AUDIENCE],
        local_jwks: { inline_string: JSON.stringify(keys) },
        forward: true,
        payload_in_metadata: 'payload',
      },
    },
    rules: [
      ...demanded.map((match) => ({ match, requires: provider })),
      {
        match: { prefix: '/' },
        requires: { requires_any: { requirements: [provider, { allow_missing: {} }] } },
      },
    ],
    bypass_cors_preflight: true,
  })
}
