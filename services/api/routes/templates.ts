import type { FastifyInstance } from 'fastify'
import type { PinWord } from '../../model/template.ts'
import type { Cinch } from '../cinch.ts'
import { CalleeQuery, PinBody } from '../schemas.ts'

/** What was learned of operations, and a person's word on it. */
export function templateRoutes(app: FastifyInstance, cinch: Cinch): void {
  app.get(
    '/api/v1/templates',
    { schema: { summary: 'Callees whose operations were learned: versions, and what has no template and why' } },
    async () => ({ callees: await cinch.templates.list() }),
  )

  app.get<{ Querystring: { callee: string } }>(
    '/api/v1/templates/callee',
    {
      schema: {
        summary: "A callee's operations: what each covers and widens, what became of earlier ones, what people said",
        querystring: CalleeQuery,
      },
    },
    async ({ query }) => await cinch.templates.ofCallee(query.callee),
  )

  app.post<{ Body: Omit<PinWord, 'method'> & { method?: string } }>(
    '/api/v1/templates/pins',
    { schema: { summary: 'Splits or merges operations by hand, or lifts that; kept with who and why', body: PinBody } },
    async ({ body }) => await cinch.templates.pin({ method: '', ...body }),
  )
}
