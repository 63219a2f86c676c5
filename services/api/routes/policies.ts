import type { FastifyInstance } from 'fastify'
import { readIncidents } from '../../../policy-gen/guard.ts'
import type { PolicyFile } from '../../../policy-gen/targets/target.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Granularity } from '../../model/permission.ts'
import { DAYS_DEFAULT } from '../backtest.ts'
import type { Cinch } from '../cinch.ts'
import type { BacktestRequest, GenerateRequest, NamingRules } from '../policy-questions.ts'
import { BacktestBody, DiffBody, PoliciesBody, ReplayBody, StepUpBody } from '../schemas.ts'
import type { StepUpRequest } from '../step-up.ts'
import type { AskedWindow } from '../window.ts'

/** What a user says of the policies wanted, on the command line and in the API. */
export interface PolicyOptions extends AskedWindow {
  target?: string | undefined
  granularity?: string | undefined
  evidence?: string | undefined
  principal?: string | undefined
  selector?: string | undefined
  /** Names of namespaces, with commas between them. */
  ambient?: string | undefined
  /** Of the poisoning guard: days, replicas, a time, `SINCE/UNTIL` separated by commas. */
  support?: string | number | undefined
  replicas?: string | number | undefined
  baseline?: string | undefined
  incidents?: string | undefined
  users?: boolean | undefined
  users_min?: number | undefined
}

export interface AskedBacktest extends PolicyOptions {
  days?: number | undefined
}

export type AskedStepUp = Omit<StepUpRequest, 'window'> & AskedWindow

/** Rendered policies of many services are large; a replay sends them back. */
const POLICIES_BYTES_MAX = 128 << 20

export function policyRoutes(app: FastifyInstance, cinch: Cinch): void {
  app.post<{ Body: PolicyOptions }>(
    '/api/v1/policies',
    { schema: { summary: 'Least-privilege policies for what was observed, with their evidence', body: PoliciesBody } },
    async ({ body }) => await cinch.generate(generateRequest(body)),
  )

  app.post<{ Body: PolicyOptions }>(
    '/api/v1/policies/privilege',
    {
      schema: {
        summary: 'How much more than was observed or declared policies allow, by granularity',
        body: PoliciesBody,
      },
    },
    async ({ body }) => await cinch.privilege(generateRequest(body)),
  )

  app.post<{ Body: { files: PolicyFile[] } & AskedWindow }>(
    '/api/v1/policies/replay',
    {
      bodyLimit: POLICIES_BYTES_MAX,
      schema: { summary: 'What these policies would have done to the requests of a window', body: ReplayBody },
    },
    async ({ body }) => await cinch.replay(body.files, body),
  )

  app.post<{ Body: { files: PolicyFile[] } & NamingRules & AskedWindow }>(
    '/api/v1/policies/diff',
    {
      bodyLimit: POLICIES_BYTES_MAX,
      schema: { summary: 'Deployed policies held against what was observed: grant, revoke, restrict', body: DiffBody },
    },
    async ({ body: { files, since, until, ...rules } }) => await cinch.diff(files, { since, until }, rules),
  )

  app.post<{ Body: { files: PolicyFile[] } & AskedWindow }>(
    '/api/v1/policies/preflight',
    {
      bodyLimit: POLICIES_BYTES_MAX,
      schema: { summary: 'What would break on enforcement and no traffic shows', body: ReplayBody },
    },
    async ({ body }) => await cinch.preflight(body.files, body),
  )

  app.post<{ Body: AskedStepUp }>(
    '/api/v1/policies/step-up',
    {
      schema: {
        summary: 'Operations that ask users for stronger or fresher authentication, and whom that would have prompted',
        body: StepUpBody,
      },
    },
    async ({ body }) => await cinch.stepUp(stepUpRequest(body)),
  )

  app.post<{ Body: AskedBacktest }>(
    '/api/v1/policies/backtest',
    {
      schema: {
        summary: 'Had policies been learned up to a day and enforced on it: each of the last days',
        body: BacktestBody,
      },
    },
    async ({ body }) => await cinch.backtest(backtestRequest(body)),
  )
}

export function stepUpRequest({ since, until, ...options }: AskedStepUp): StepUpRequest {
  return { ...options, window: { since, until } }
}

export function backtestRequest({ days = DAYS_DEFAULT, ...options }: AskedBacktest): BacktestRequest {
  return { ...generateRequest(options), days }
}

/** Options as users name them to those of the generator; it refuses what it cannot mean. */
export function generateRequest(options: PolicyOptions): GenerateRequest {
  return {
    target: options.target ?? 'istio',
    window: { since: options.since, until: options.until },
    ...(options.granularity ? { granularity: options.granularity as Granularity } : {}),
    ...(options.evidence ? { minimumEvidence: options.evidence as Evidence } : {}),
    ...(options.principal ? { principalRule: options.principal } : {}),
    ...(options.selector ? { selectorRule: options.selector } : {}),
    ...(options.ambient ? { ambient: options.ambient.split(',').map((name) => name.trim()) } : {}),
    ...(options.support ? { minimumDays: Number(options.support) } : {}),
    ...(options.replicas ? { minimumReplicas: Number(options.replicas) } : {}),
    ...(options.baseline ? { baseline: options.baseline } : {}),
    ...(options.incidents ? { incidents: readIncidents(options.incidents) } : {}),
    ...(options.users ? { userConditions: true } : {}),
    ...(options.users_min === undefined ? {} : { usersMin: options.users_min }),
  }
}
