import type { FastifyInstance } from 'fastify'
import type { RiskKind } from '../../model/risk.ts'
import { HOLDER } from '../by.ts'
import type { Cinch } from '../cinch.ts'
import type { AskedRisk } from '../risk.ts'
import { NamedQuery, RiskParams, RiskQuery, RisksBody, VouchBody } from '../schemas.ts'
import { timeOf } from '../window.ts'

/** How far what an entity does is from what it usually does: what a policy decision point asks for. */
export function riskRoutes(app: FastifyInstance, { risk }: Cinch): void {
  app.get<{ Params: AskedRisk; Querystring: { at?: string } }>(
    '/api/v1/risk/:kind/:id',
    {
      schema: {
        summary: 'The risk of an entity: score in nats, level, and the terms that add up to it',
        params: RiskParams,
        querystring: RiskQuery,
      },
    },
    async ({ params, query: { at } }) => await risk.of(params, at === undefined ? undefined : timeOf(at, Date.now())),
  )
  app.post<{ Body: { subjects: AskedRisk[] } }>(
    '/api/v1/risk',
    { schema: { summary: 'The risks of several entities, in the order in which they are asked for', body: RisksBody } },
    async ({ body: { subjects } }) => ({ risks: await risk.ofAll(subjects) }),
  )
  app.get<{ Querystring: { kind: RiskKind; subject: string } }>(
    '/api/v1/risk/named',
    { schema: { summary: 'Ids of entities that a subject may mean, whatever its issuer', querystring: NamedQuery } },
    async ({ query: { kind, subject } }) => ({ ids: await risk.named(kind, subject) }),
  )
  app.post<{ Params: AskedRisk; Body: { why: string } }>(
    '/api/v1/risk/:kind/:id/vouch',
    {
      schema: {
        summary: 'Clears an entity: what it did until now counts no more, and is learned from',
        params: RiskParams,
        body: VouchBody,
      },
    },
    async ({ params, body: { why } }) => await risk.vouch(params, { who: HOLDER, why }),
  )
}
