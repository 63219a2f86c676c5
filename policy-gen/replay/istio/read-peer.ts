import { fail, field, isRecord, optionalRecord, type Reader } from '../fields.ts'
import type { DocumentHead } from './documents.ts'
import { readSelector } from './read-selector.ts'

export type MutualTlsMode = 'UNSET' | 'DISABLE' | 'PERMISSIVE' | 'STRICT'

/** PeerAuthentication, security.istio.io/v1. Ports are the workload's. */
export interface PeerAuthentication extends DocumentHead {
  selector: Record<string, string> | undefined
  mode: MutualTlsMode
  ports: Map<number, MutualTlsMode>
}

const MODES: readonly MutualTlsMode[] = ['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT']

export function readPeerAuthentication(
  head: DocumentHead,
  spec: Record<string, unknown>,
  reader: Reader,
): PeerAuthentication {
  optionalRecord(spec, field(reader, 'spec'), ['selector', 'mtls', 'portLevelMtls'])
  const { selector: written, mtls, portLevelMtls } = spec
  const selector = readSelector(written, reader)
  const perPort = optionalRecord(portLevelMtls, field(reader, 'portLevelMtls')) ?? {}
  if (Object.keys(perPort).length > 0 && (selector === undefined || Object.keys(selector).length === 0)) {
    fail(field(reader, 'portLevelMtls'), 'needs a selector')
  }
  const ports = Object.entries(perPort).map(([port, value]): [number, MutualTlsMode] => {
    if (!/^[1-9][0-9]{0,4}$/.test(port) || Number(port) > 65535)
      fail(field(reader, 'portLevelMtls'), `has the bad port ${port}`)
    return [Number(port), readMode(value, field(reader, `portLevelMtls.${port}`))]
  })
  return { ...head, selector, mode: readMode(mtls, field(reader, 'mtls')), ports: new Map(ports) }
}

function readMode(value: unknown, reader: Reader): MutualTlsMode {
  if (value === undefined) return 'UNSET'
  if (!isRecord(value)) fail(reader, 'must be an object')
  optionalRecord(value, reader, ['mode'])
  const { mode = 'UNSET' } = value
  const known = MODES.find((candidate) => candidate === mode)
  if (!known) fail(reader, `has the unknown mode ${JSON.stringify(mode)}; valid: ${MODES.join(', ')}`)
  return known
}
