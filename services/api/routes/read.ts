import type { FastifyInstance } from 'fastify'
import { NODES_MAX } from '../../analyzer/graph/places.ts'
import type { View } from '../../analyzer/graph/screen.ts'
import type { GroupBy } from '../../model/graph.ts'
import { shapeText } from '../../model/shape.ts'
import type { AskedChains } from '../chains.ts'
import type { Cinch } from '../cinch.ts'
import type { AskedDirectory, AskedLinks } from '../directory.ts'
import {
  ChainParams,
  ChainsQuery,
  CompareQuery,
  DirectoryLinksQuery,
  DirectoryQuery,
  EdgesQuery,
  GraphQuery,
  OperationsQuery,
  RejectsQuery,
  SourceQuery,
  WindowQuery,
} from '../schemas.ts'
import type { AskedWindow } from '../window.ts'

/** A view as the query asks for it; what it may be, the schema says. */
interface ViewQuery {
  limit?: number
  expand?: string
  group_by?: GroupBy
  focus?: string
  depth?: number
  hide?: string
}

function viewOf({ limit = NODES_MAX, expand, group_by = 'namespace', focus, depth = 1, hide }: ViewQuery): View {
  const ids = (text = '') => text.split(',').filter((id) => id !== '')
  return { limit, by: group_by, expand: new Set(ids(expand)), focus, depth, hide: ids(hide) }
}

/** What can be looked at: sources, the graph, operations, rejects, what senders lack. */
export function readRoutes(app: FastifyInstance, cinch: Cinch): void {
  app.get('/api/v1/sources', { schema: { summary: 'Sources, and what came from them' } }, async () => ({
    sources: await cinch.sources(),
  }))

  graphRoutes(app, cinch)

  app.get<{ Querystring: AskedWindow & { hide_noise?: boolean } }>(
    '/api/v1/edges',
    {
      schema: {
        summary: 'Every node and edge with its operations, ungrouped: what cinch graph prints',
        querystring: EdgesQuery,
      },
    },
    async ({ query: { hide_noise, ...window } }) => await cinch.graph({ ...window, hideNoise: hide_noise === true }),
  )

  app.get<{ Querystring: AskedWindow & { source: string; destination: string } }>(
    '/api/v1/operations',
    { schema: { summary: 'The operations that one caller used at one callee', querystring: OperationsQuery } },
    async ({ query }) => {
      const { window, operations } = await cinch.operations(query)
      return {
        window,
        operations: operations
          .filter((operation) => operation.source.id === query.source && operation.destination.id === query.destination)
          .map(operationAnswer),
      }
    },
  )

  app.get<{ Querystring: { source?: string; limit?: number } }>(
    '/api/v1/rejects',
    { schema: { summary: 'Lines that became no fact, redacted, with the reason', querystring: RejectsQuery } },
    async ({ query }) => await cinch.rejects(query.source ?? '', query.limit ?? 100),
  )

  app.get<{ Querystring: { source?: string } }>(
    '/api/v1/doctor',
    { schema: { summary: 'What senders could tell and do not', querystring: SourceQuery } },
    async ({ query }) => await cinch.doctor(query.source ?? ''),
  )

  wordRoutes(app, cinch)
  chainRoutes(app, cinch)
}

/** Where what one tells is held against what another does. */
function wordRoutes(app: FastifyInstance, cinch: Cinch): void {
  app.get<{ Querystring: AskedWindow }>(
    '/api/v1/completeness',
    {
      schema: {
        summary: 'Requests in the access logs beside those that the proxies counted, by callee and hour',
        querystring: WindowQuery,
      },
    },
    async ({ query }) => await cinch.completeness(query),
  )
  app.get<{ Querystring: AskedWindow }>(
    '/api/v1/disagreements',
    {
      schema: {
        summary: 'Where one word on who called is held against another: claims, connections, addresses',
        querystring: WindowQuery,
      },
    },
    async ({ query }) => await cinch.disagreements(query),
  )
  app.get<{ Querystring: AskedDirectory }>(
    '/api/v1/directory',
    {
      schema: {
        summary: 'What directories, identity providers and posture systems said: sign-ins, changes, access, devices',
        querystring: DirectoryQuery,
      },
    },
    async ({ query }) => await cinch.directory(query),
  )
  app.get<{ Querystring: AskedLinks }>(
    '/api/v1/directory/links',
    {
      schema: {
        summary:
          'Changes in directories, each with the request, session or sign-in that led to it, graded; those without first',
        querystring: DirectoryLinksQuery,
      },
    },
    async ({ query }) => await cinch.directoryLinks(query),
  )
}

function chainRoutes(app: FastifyInstance, cinch: Cinch): void {
  app.get<{ Querystring: AskedChains }>(
    '/api/v1/chains',
    {
      schema: {
        summary: 'Requests of users with the calls that complete them: shapes, how often, where they break and why',
        querystring: ChainsQuery,
      },
    },
    async ({ query }) => await cinch.chains(query),
  )

  app.get<{ Params: { trace: string } }>(
    '/api/v1/chains/:trace',
    { schema: { summary: 'One chain: its calls, who told of each, and what is missing', params: ChainParams } },
    async ({ params }) => await cinch.chain(params.trace),
  )
}

function graphRoutes(app: FastifyInstance, cinch: Cinch): void {
  app.get<{ Querystring: AskedWindow & ViewQuery }>(
    '/api/v1/graph',
    { schema: { summary: 'The graph of requests made, grouped to what a screen can show', querystring: GraphQuery } },
    async ({ query }) => await cinch.screen(query, viewOf(query)),
  )

  app.get<{ Querystring: AskedWindow & { compare_since: string; compare_until: string; group_by?: GroupBy } }>(
    '/api/v1/graph/compare',
    {
      schema: {
        summary: 'What changed against an earlier window: new, gone and changed edges, new and gone operations',
        querystring: CompareQuery,
      },
    },
    async ({ query }) =>
      await cinch.compare(
        query,
        { since: query.compare_since, until: query.compare_until },
        query.group_by ?? 'namespace',
      ),
  )
}

function operationAnswer(operation: Awaited<ReturnType<Cinch['operations']>>['operations'][number]) {
  return {
    method: operation.method,
    path: shapeText({ path: operation.path, operation: operation.named ?? '' }),
    path_flags: operation.pathFlags,
    protocol: operation.protocol,
    service_port: operation.servicePort,
    workload_port: operation.workloadPort,
    requests: operation.requests,
    denied: operation.denied,
    not_found: operation.notFound ?? 0,
    evidence: operation.source.evidence,
    reporter: operation.reporter,
    mtls: operation.mtls,
    first_seen: operation.firstSeen,
    last_seen: operation.lastSeen,
    days: operation.days,
  }
}
