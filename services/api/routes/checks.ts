import type { FastifyInstance } from 'fastify'
import { HOLDER } from '../by.ts'
import type { AskedChecks } from '../checks.ts'
import type { Cinch } from '../cinch.ts'
import type { AskedTrend } from '../requirements.ts'
import { AttestBody, ChecksQuery, TrendQuery, WithdrawBody } from '../schemas.ts'

/** Requirements: what is shown of each, what people answer for, and how that was day by day. */
export function checkRoutes(app: FastifyInstance, { checks, trend, attestations }: Cinch): void {
  app.get<{ Querystring: AskedChecks }>(
    '/api/v1/checks',
    {
      schema: {
        summary:
          'Requirements of NIST SP 800-207, 800-207A and the 800-204 series: the verdict on each, and what shows it',
        querystring: ChecksQuery,
      },
    },
    async ({ query }) => await checks(query),
  )
  app.get<{ Querystring: AskedTrend }>(
    '/api/v1/checks/trend',
    { schema: { summary: 'Verdicts by the day, of the last look of each', querystring: TrendQuery } },
    async ({ query }) => ({ days: await trend(query) }),
  )
  app.get(
    '/api/v1/checks/attestations',
    { schema: { summary: 'What people answer for, where no telemetry shows it; also where it counts no more' } },
    async () => ({ attestations: await attestations.list() }),
  )
  app.post<{ Body: { requirement: string; owner: string; until: string; why: string } }>(
    '/api/v1/checks/attestations',
    { schema: { summary: 'Answers for what no telemetry shows of a requirement, until a day', body: AttestBody } },
    async ({ body: { requirement, why, ...asked } }) =>
      await attestations.attest(requirement, asked, { who: HOLDER, why }),
  )
  app.post<{ Body: { requirement: string; why: string } }>(
    '/api/v1/checks/attestations/withdraw',
    { schema: { summary: 'Nobody answers for it any more', body: WithdrawBody } },
    async ({ body }, reply) => {
      await attestations.withdraw(body.requirement, { who: HOLDER, why: body.why })
      return await reply.code(204).send()
    },
  )
}
