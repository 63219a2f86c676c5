import { bypassedEnforcement } from './bypassed-enforcement.ts'
import type { Check } from './check.ts'
import { completeChains } from './complete-chains.ts'
import { egressThroughProxy } from './egress-through-proxy.ts'
import { encryptedHops } from './encrypted-hops.ts'
import { forwardedContext } from './forwarded-context.ts'
import { ingressThroughGateway } from './ingress-through-gateway.ts'
import { keptUsers } from './kept-users.ts'
import { knownWorkloads } from './known-workloads.ts'
import { linkedChanges } from './linked-changes.ts'
import { logFields } from './log-fields.ts'
import { loggedRequests } from './logged-requests.ts'
import { oneIdentity } from './one-identity.ts'
import { ownReporter } from './own-reporter.ts'
import { reportersAgree } from './reporters-agree.ts'
import { sameDecisions } from './same-decisions.ts'
import { usersOnRequests } from './users-on-requests.ts'
import { verifiedCallers } from './verified-callers.ts'

export const CHECKS: readonly Check[] = [
  encryptedHops,
  verifiedCallers,
  bypassedEnforcement,
  ownReporter,
  loggedRequests,
  reportersAgree,
  logFields,
  oneIdentity,
  knownWorkloads,
  usersOnRequests,
  keptUsers,
  completeChains,
  forwardedContext,
  ingressThroughGateway,
  egressThroughProxy,
  sameDecisions,
  linkedChanges,
]
