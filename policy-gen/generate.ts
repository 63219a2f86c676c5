import type { EgressNamespace, OutboundTeller } from '../services/model/egress.ts'
import type { Inventory } from '../services/model/inventory.ts'
import type { ObservedOperation } from '../services/model/operation.ts'
import { egressOf } from './egress.ts'
import { indexInventory } from './inventory-index.ts'
import { type ProposeOptions, propose } from './propose.ts'
import { replicasOf } from './replicas.ts'
import { type Report, reportFile, reportOf, testsFile } from './report.ts'
import type { PolicyFile, Target } from './targets/target.ts'

export interface GenerateOptions extends ProposeOptions {
  window: { since: string; until: string }
  /** Namespaces whose own proxies told of calls: of the others it cannot be said that they never call out. */
  outbound?: readonly OutboundTeller[]
}

export interface Generated {
  /** The policies, `report.json` and `tests.json`. */
  files: PolicyFile[]
  report: Report
}

/** With what leaves the mesh, as it was handed to the target: drafts are made of it. */
export interface Made extends Generated {
  egress: readonly EgressNamespace[]
}

/**
 * From what was observed to the files of a target: propose, render, report.
 *
 * @throws PolicyError for options that cannot be meant
 */
export function generate(
  operations: readonly ObservedOperation[],
  inventory: Inventory,
  target: Target,
  options: GenerateOptions,
): Made {
  const proposal = propose(operations, inventory, options)
  const replicas = replicasOf(operations, inventory, indexInventory(inventory))
  const egress = egressOf(operations, options, replicas)
  const rendered = target.render(proposal.permissions, options.window, egress)
  const report = reportOf(target.id, options.window, proposal, rendered)
  return { files: [...rendered.files, testsFile(rendered.cases), reportFile(report)], report, egress }
}
