import { createHash } from 'node:crypto'

/** Leaves room for a namespace and an extension in a file name, of which most systems take 255 bytes. */
const NAME_MAX = 180

/**
 * A Kubernetes name (RFC 1123 subdomain) for any text. Text that already is one stays; anything else is cleaned, cut
 * and given a digest of the original, so that two texts never share a name.
 */
export function kubernetesName(text: string): string {
  if (text.length <= NAME_MAX && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(text))
    return text
  const clean = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, NAME_MAX - DIGEST_LENGTH - 1)
    .replace(/^-+|-+$/g, '')
  return `${clean || 'unnamed'}-${digest(text)}`
}

const DIGEST_LENGTH = 10

export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, DIGEST_LENGTH)
}
