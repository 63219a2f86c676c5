import type { Tri } from '../tri.ts'
import type { MutualTlsMode, PeerAuthentication } from './read-peer.ts'

/** The mode that holds at a port, and the policy that says so; null when it cannot be told. */
export interface MutualTlsEntry {
  mode: Exclude<MutualTlsMode, 'UNSET'> | null
  by: string
}
export type MutualTls = (workloadPort: number) => MutualTlsEntry

const DEFAULT: MutualTlsEntry = { mode: 'PERMISSIVE', by: "Istio's default" }

/** The PeerAuthentications around one callee, the narrowest level first. Within a level they should agree. */
export type PeerLevels = { peer: PeerAuthentication; applies: Tri }[][]

/** The narrowest mode that is set: for the port, the workload, the namespace, the mesh; PERMISSIVE when none is. */
export function mutualTlsOf(levels: PeerLevels): MutualTls {
  return (port) => {
    for (const level of levels) {
      const found = modesOf(level, port)
      if (found) return found
    }
    return DEFAULT
  }
}

function modesOf(level: PeerLevels[number], port: number): MutualTlsEntry | null {
  const said = level.flatMap(({ peer, applies }) =>
    applies === 'no' ? [] : modesAt(peer, port).map((mode) => ({ mode, applies, by: nameOf(peer) })),
  )
  const set = said.filter(({ mode }) => mode !== 'UNSET')
  const [first] = set
  if (!first) return null
  const sure = said.every(({ mode, applies }) => mode === first.mode && applies === 'yes')
  return { mode: sure && first.mode !== 'UNSET' ? first.mode : null, by: set.map(({ by }) => by).join(', ') }
}

// With the port unknown, each of its ports' modes may be the one that holds.
function modesAt(peer: PeerAuthentication, port: number): MutualTlsMode[] {
  if (port === 0) return [peer.mode, ...peer.ports.values()]
  const own = peer.ports.get(port)
  return [own === undefined || own === 'UNSET' ? peer.mode : own]
}

function nameOf(peer: PeerAuthentication): string {
  return `PeerAuthentication ${peer.namespace}/${peer.name}`
}
