import type { FastifyInstance } from 'fastify'
import type { PolicyFile } from '../../../policy-gen/targets/target.ts'
import { CinchError } from '../../model/errors.ts'
import type { LogHead } from '../../model/lifecycle.ts'
import { HOLDER } from '../by.ts'
import type { Cinch } from '../cinch.ts'
import { type AskedDraft, type PersonStep, TARGET_DEFAULT } from '../lifecycle/lifecycle.ts'
import {
  DeclareBody,
  DraftQuery,
  LiftBody,
  LogQuery,
  ProposeBody,
  ReadBackBody,
  StepBody,
  TargetQuery,
  WindowsBody,
} from '../lifecycle/schemas.ts'
import { generateRequest, type PolicyOptions } from './policies.ts'

/** Deployed policies of many services are large. */
const DEPLOYED_BYTES_MAX = 128 << 20

type Why = { why: string }
type AskedStep = AskedDraft &
  Why & {
    action: PersonStep['action']
    as?: string
    acknowledged?: number
    unowned?: boolean
    to?: 'dry_run' | 'enforced'
  }

/** The life of policies; every step says why, and who is known by the token. */
export function lifecycleRoutes(app: FastifyInstance, cinch: Cinch): void {
  const { lifecycle } = cinch
  const by = ({ why }: Why) => ({ who: HOLDER, why })
  app.get(
    '/api/v1/policies/drafts',
    { schema: { summary: 'Drafts of policies: their states, owners, approvals' } },
    async () => ({
      drafts: await lifecycle.drafts(),
    }),
  )
  app.get<{ Querystring: AskedDraft }>(
    '/api/v1/policies/drafts/one',
    {
      schema: {
        summary: 'What a draft says: its permissions with their evidence, and its files',
        querystring: DraftQuery,
      },
    },
    async ({ query }) => await lifecycle.draft(query),
  )
  app.post<{ Body: PolicyOptions & Why & { callees?: string[] } }>(
    '/api/v1/policies/drafts',
    { schema: { summary: 'Generates policies, and makes a draft of what is new', body: ProposeBody } },
    async ({ body: { why, callees, ...options } }) =>
      await cinch.propose(generateRequest(options), by({ why }), callees),
  )
  app.post<{ Body: AskedStep }>(
    '/api/v1/policies/drafts/steps',
    { schema: { summary: 'A step of a draft: submit, return, approve, promote, withdraw, roll_back', body: StepBody } },
    async ({ body }) => await lifecycle.step(body, stepOf(body), by(body)),
  )
  app.post<{ Body: Why & { files: PolicyFile[]; target?: string } }>(
    '/api/v1/policies/read-back',
    {
      bodyLimit: DEPLOYED_BYTES_MAX,
      schema: { summary: 'Holds what is deployed against what was approved', body: ReadBackBody },
    },
    async ({ body }) => await lifecycle.readBack(body.files, body.target ?? TARGET_DEFAULT, by(body)),
  )
  app.get<{ Querystring: { target?: string } }>(
    '/api/v1/policies/delivery',
    { schema: { summary: 'The files of all that may be deployed, each draft in its stage', querystring: TargetQuery } },
    async ({ query }) => ({ files: await lifecycle.deliver(query.target ?? TARGET_DEFAULT) }),
  )
  app.get<{ Querystring: { target?: string } }>(
    '/api/v1/policies/advice',
    {
      schema: {
        summary: 'Promotions and rollbacks that measured denials propose, and what to promote first',
        querystring: TargetQuery,
      },
    },
    async ({ query }) => await cinch.advice(query.target ?? TARGET_DEFAULT),
  )
  settingRoutes(app, cinch)
}

function settingRoutes(app: FastifyInstance, { lifecycle }: Cinch): void {
  const by = ({ why }: Why) => ({ who: HOLDER, why })
  app.get(
    '/api/v1/policies/declared',
    { schema: { summary: 'Permissions that owners declare, and those that expired' } },
    async () => await lifecycle.declarations(),
  )
  app.post<{ Body: Why & { permissions: unknown[] } }>(
    '/api/v1/policies/declared',
    {
      schema: {
        summary: 'Declares permissions: failover, recovery, break-glass; with owner, reason and expiry',
        body: DeclareBody,
      },
    },
    async ({ body }) => ({ declared: await lifecycle.declare(body.permissions, by(body)) }),
  )
  app.post<{ Body: Why & { id: string } }>(
    '/api/v1/policies/declared/lift',
    { schema: { summary: 'Declares it no more', body: LiftBody } },
    async ({ body }, reply) => {
      await lifecycle.lift(body.id, by(body))
      return await reply.code(204).send()
    },
  )
  app.get('/api/v1/policies/windows', { schema: { summary: 'When promotions may happen' } }, async () => ({
    windows: await lifecycle.windows(),
  }))
  app.post<{ Body: Why & { windows: string[] } }>(
    '/api/v1/policies/windows',
    { schema: { summary: 'Says when promotions may happen; none for always', body: WindowsBody } },
    async ({ body }, reply) => {
      await lifecycle.changeWindows(body.windows, by(body))
      return await reply.code(204).send()
    },
  )
  app.get('/api/v1/policies/log', { schema: { summary: 'Who did what and why: the whole log' } }, async () => ({
    entries: await lifecycle.entries(),
  }))
  app.get<{ Querystring: { head?: string } }>(
    '/api/v1/policies/log/verify',
    { schema: { summary: 'Whether the log is as it was written', querystring: LogQuery } },
    async ({ query }) => await lifecycle.verify(readHeads(query.head ?? '')),
  )
}

function stepOf({ action, as = '', acknowledged = 0, unowned = false, to }: AskedStep): PersonStep {
  if (action === 'approve') return { action, as, acknowledged, unowned }
  if (action !== 'promote') return { action }
  if (to) return { action, to }
  throw new CinchError('bad_option', 'to which stage is not told', 'give "to": dry_run or enforced')
}

/** Heads as `SEQ:HASH`, separated by commas. @throws CinchError `bad_option` */
export function readHeads(text: string): LogHead[] {
  return text
    .split(',')
    .filter((one) => one !== '')
    .map((one) => {
      const [, seq = '', hash = ''] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(one) ?? []
      if (seq === '')
        throw new CinchError(
          'bad_option',
          `${JSON.stringify(one)} is no head of a log`,
          'give one as cinch policies log --verify prints it',
        )
      return { seq: Number(seq), hash }
    })
}
