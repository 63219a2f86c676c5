import type { FastifyInstance } from 'fastify'
import { CinchError } from '../../model/errors.ts'
import type { FindingAct } from '../../model/finding.ts'
import { HOLDER } from '../by.ts'
import type { Cinch } from '../cinch.ts'
import type { AskedFindings } from '../findings.ts'
import { FindingActBody, FindingParams, FindingsQuery } from '../schemas.ts'

/** What is wrong, and what people say of it; who says it is known by the token. */
export function findingRoutes(app: FastifyInstance, { findings }: Cinch): void {
  app.get<{ Querystring: AskedFindings }>(
    '/api/v1/findings',
    { schema: { summary: 'Findings, the worst first, in groups of a check and a place', querystring: FindingsQuery } },
    async ({ query }) => await findings.list(query),
  )
  app.get<{ Params: { id: string } }>(
    '/api/v1/findings/:id',
    { schema: { summary: 'One finding, with all that was said of it', params: FindingParams } },
    async ({ params }) => await findings.show(params.id),
  )
  app.post<{ Params: { id: string }; Body: AskedAct & { why: string } }>(
    '/api/v1/findings/:id',
    {
      schema: {
        summary: 'Acknowledges a finding, accepts it until a day, marks it false, or opens it again',
        params: FindingParams,
        body: FindingActBody,
      },
    },
    async ({ params, body: { why, ...asked } }) => await findings.act(params.id, actOf(asked), { who: HOLDER, why }),
  )
}

/** An act as it is asked for. */
export interface AskedAct {
  act: FindingAct['act']
  owner?: string | undefined
  until?: string | undefined
}

/** @throws CinchError `bad_option` for an acceptance without owner or end */
export function actOf({ act, owner = '', until = '' }: AskedAct): FindingAct {
  if (act !== 'accept') return { act }
  if (owner.trim() === '' || until === '')
    throw new CinchError(
      'bad_option',
      'who bears it and until when is not told',
      'give the owner and the end, an ISO 8601 time',
    )
  return { act, owner: owner.trim().toWellFormed(), until }
}
