import type { Inventory } from '../../services/model/inventory.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import type { Preflight } from '../../services/model/preflight.ts'
import type { PolicyText } from '../replay/documents.ts'
import { groundOf, type Trap } from './ground.ts'
import { hbonePort, waypointBypassed, waypointMissing } from './traps/ambient.ts'
import { ciliumMutualTls } from './traps/cilium.ts'
import { dryRunAmbient } from './traps/dry-run.ts'
import { longStreams } from './traps/long-streams.ts'
import { rootSelector } from './traps/root-selector.ts'
import { selectorOfMore, selectorOfNothing } from './traps/selector.ts'
import { servicePort, workloadPort } from './traps/service-port.ts'
import { strictPlaintext } from './traps/strict.ts'
import { foreignToken } from './traps/tokens.ts'
import { sharedTrustDomain } from './traps/trust-domain.ts'
import { waypointAround, waypointIdentity } from './traps/waypoint.ts'

export const TRAPS: readonly Trap[] = [
  rootSelector,
  selectorOfNothing,
  selectorOfMore,
  strictPlaintext,
  foreignToken,
  longStreams,
  servicePort,
  workloadPort,
  hbonePort,
  waypointMissing,
  waypointBypassed,
  waypointAround,
  waypointIdentity,
  dryRunAmbient,
  ciliumMutualTls,
  sharedTrustDomain,
]

/**
 * What would break on enforcement, or not be enforced at all, and no traffic shows: the documents beside the policies
 * (namespaces, services, network policies) are looked at too.
 *
 * @throws PolicyError `bad_policy`
 */
export function preflight(
  files: readonly PolicyText[],
  operations: readonly ObservedOperation[],
  { inventory, window }: { inventory: Inventory; window: { since: string; until: string } },
): Preflight {
  const ground = groundOf(files, operations, inventory)
  return {
    window,
    looked_for: TRAPS.map(({ id, title }) => ({ trap: id, title })),
    findings: TRAPS.flatMap((trap) =>
      trap.find(ground).map((found) => ({ trap: trap.id, ...found, requests: found.requests ?? 0 })),
    ),
  }
}
