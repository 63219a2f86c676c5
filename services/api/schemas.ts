import Type from 'typebox'
import { USERS_MIN_MAX } from '../../policy-gen/conditions.ts'
import { REPLICAS_MAX } from '../../policy-gen/guard.ts'
import { SENSITIVE_MAX } from '../../policy-gen/step-up/read.ts'
import { DEPTH_MAX } from '../analyzer/graph/screen.ts'
import { DIRECTORY_CATEGORIES } from '../model/directory.ts'
import { EVIDENCE } from '../model/evidence.ts'
import { FINDING_STATES } from '../model/finding.ts'
import { GROUP_BY } from '../model/graph.ts'
import { RISK_KINDS } from '../model/risk.ts'
import { ACRS } from '../model/step-up.ts'
import { AGE_BOUNDS_S } from '../model/users.ts'
import { DIRECTORY_EVENTS_MAX } from '../store/queries/directory.ts'
import { DAYS_MAX } from './backtest.ts'

/** Query and body schemas: what fastify checks and what the OpenAPI document says. */

const text = (description: string, maxLength = 256) => Type.String({ description, maxLength })
const time = (which: string) =>
  Type.Optional(
    text(`${which} of the window: ISO 8601, or a span back from now such as 24h; all that is stored when absent`, 40),
  )

export const window = { since: time('Start'), until: time('End') }

const groupBy = Type.Optional(
  Type.String({
    maxLength: 323,
    pattern: `^(${GROUP_BY.join('|')}|label:[A-Za-z0-9._/-]{1,317})$`,
    default: 'namespace',
    description: `What nodes that do not fit are grouped by: ${GROUP_BY.join(', ')} or label:<key>`,
  }),
)

export const GraphQuery = Type.Object({
  ...window,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 150, default: 150, description: 'Most nodes to send' })),
  expand: Type.Optional(text('Ids of groups to open, separated by commas', 4096)),
  group_by: groupBy,
  hide: Type.Optional(text('Node ids of callers to leave out, separated by commas', 4096)),
  focus: Type.Optional(text('Node id: only what is around it', 1024)),
  depth: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: DEPTH_MAX,
      default: 1,
      description: 'Hops around the focus, in both directions',
    }),
  ),
})

export const WindowQuery = Type.Object(window)

const eventsLimit = Type.Optional(Type.Integer({ minimum: 1, maximum: DIRECTORY_EVENTS_MAX, default: 100 }))

export const DirectoryLinksQuery = Type.Object({ ...window, limit: eventsLimit })

export const DirectoryQuery = Type.Object({
  ...window,
  source: Type.Optional(text('Id of a source')),
  category: Type.Optional(
    Type.String({ pattern: `^(${DIRECTORY_CATEGORIES.join('|')})$`, description: DIRECTORY_CATEGORIES.join(', ') }),
  ),
  about: Type.Optional(text('Id or name of an actor or a target, as the system writes it', 1024)),
  limit: eventsLimit,
})

export const CompareQuery = Type.Object({
  ...window,
  compare_since: text('Start of the window that is compared with', 40),
  compare_until: text('End of the window that is compared with', 40),
  group_by: groupBy,
})

export const OperationsQuery = Type.Object({
  ...window,
  source: text('Node id of the caller', 1024),
  destination: text('Node id of the callee', 1024),
})

export const CalleeQuery = Type.Object({ callee: text('Node id of the callee', 1024) })

export const PinBody = Type.Object(
  {
    callee: text('Node id of the callee', 1024),
    kind: Type.Union(
      ['split', 'merge', 'none'].map((value) => Type.Literal(value)),
      { description: 'split: a name of its own; merge: one parameter; none: lifts what was said before' },
    ),
    at: text('The position: /users/me, /regions/{}; parameters before it as {}', 2048),
    method: Type.Optional(text('Of this method only', 64)),
    who: text('Who says so'),
    why: text('Why', 1024),
  },
  { additionalProperties: false },
)

export const EdgesQuery = Type.Object({
  ...window,
  hide_noise: Type.Optional(
    Type.Boolean({
      description: 'Leaves out probes, scrapers and synthetic monitoring, and lists them under `hidden`',
    }),
  ),
})

export const ChainsQuery = Type.Object({
  ...window,
  root: Type.Optional(text('Part of the root operation, namespace/workload METHOD /path', 1024)),
})

const why = text('Why; kept with it', 1024)
const requirementId = Type.Optional(text('Id of one requirement, such as ID-SEG-REC-1; all when absent', 64))

export const ChecksQuery = Type.Object({
  ...window,
  requirement: requirementId,
  cluster: Type.Optional(text('Cluster of whoever reported', 253)),
  namespace: Type.Optional(text('Namespace of the callee; of what leaves the platform, of its caller', 253)),
  owner: Type.Optional(text('Owner of that workload, as the inventory declares it')),
})

export const TrendQuery = Type.Object({
  requirement: requirementId,
  since: Type.Optional(text('From then on: ISO 8601, or a span back from now such as 30d, the default', 40)),
})

export const AttestBody = Type.Object(
  {
    requirement: text('Id of the requirement', 64),
    owner: text('Who answers for it'),
    until: text('Until when, ISO 8601; a year at most', 40),
    why,
  },
  { additionalProperties: false },
)

export const WithdrawBody = Type.Object(
  { requirement: text('Id of the requirement', 64), why },
  { additionalProperties: false },
)

export const FindingsQuery = Type.Object({
  state: Type.Optional(
    Type.Union(
      [...FINDING_STATES, 'all'].map((value) => Type.Literal(value)),
      { description: 'Open ones when absent' },
    ),
  ),
  since: Type.Optional(text('Seen since then: ISO 8601, or a span back from now such as 24h', 40)),
  check: Type.Optional(text('Of this check only', 64)),
})

export const FindingParams = Type.Object({ id: text('Id of the finding, or its beginning', 32) })

export const FindingActBody = Type.Object(
  {
    act: Type.Union(['acknowledge', 'accept', 'false', 'reopen'].map((value) => Type.Literal(value))),
    why,
    owner: Type.Optional(text('To accept: who bears it')),
    until: Type.Optional(text('To accept: until when, ISO 8601', 40)),
  },
  { additionalProperties: false },
)

export const ChainParams = Type.Object({ trace: text('Trace id: 32 hexadecimal digits', 32) })

const riskId = text(
  'Of a user its issuer, a space and its subject; of a workload its SPIFFE id without spiffe://',
  2048,
)
const riskKind = Type.Union(
  RISK_KINDS.map((kind) => Type.Literal(kind)),
  { description: 'What the id is of' },
)
export const RiskParams = Type.Object({ kind: riskKind, id: riskId })
export const RiskQuery = Type.Object({
  at: Type.Optional(text('When: ISO 8601, or a span back from now such as 2h; now when absent', 40)),
})
/** Of one request. */
const RISKS_MAX = 1_000
export const RisksBody = Type.Object({
  subjects: Type.Array(Type.Object({ kind: riskKind, id: riskId }), { maxItems: RISKS_MAX }),
})
export const VouchBody = Type.Object({ why: Type.String({ minLength: 1, maxLength: 1024 }) })
export const NamedQuery = Type.Object({ kind: riskKind, subject: riskId })

export const RejectsQuery = Type.Object({
  source: Type.Optional(text('Id of a source')),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
})

export const SourceQuery = Type.Object({ source: Type.Optional(text('Id of a source')) })

export const PoliciesBody = Type.Object(
  {
    target: Type.Optional(text('Policy target; istio when absent')),
    granularity: Type.Optional(Type.Union(['workload', 'port', 'method', 'path'].map((value) => Type.Literal(value)))),
    evidence: Type.Optional(Type.Union(Object.keys(EVIDENCE).map((value) => Type.Literal(value)))),
    principal: Type.Optional(
      text(
        "Naming rule for callers known by a claimed name, such as 'cluster.local/ns/{namespace}/sa/{workload}'",
        512,
      ),
    ),
    selector: Type.Optional(text("Label rule for callees that no inventory knows, such as 'app={workload}'", 512)),
    ambient: Type.Optional(text("Namespaces in Istio's ambient mode, such as 'shop,bank', or '*' for all", 4096)),
    support: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 400, description: 'Distinct days on which something must have been seen' }),
    ),
    replicas: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: REPLICAS_MAX,
        description: "Distinct replicas that must have done something, or all of the caller's where it has fewer",
      }),
    ),
    baseline: Type.Optional(text("What was first seen from then on waits for its owner's declaration; ISO 8601", 40)),
    incidents: Type.Optional(
      text('What was first seen within them teaches nothing: SINCE/UNTIL, separated by commas', 65_536),
    ),
    users: Type.Optional(
      Type.Boolean({ description: 'Conditions on tokens where every request carried a user; none when absent' }),
    ),
    users_min: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: USERS_MIN_MAX,
        description: 'Distinct users that a condition must be true of',
      }),
    ),
    ...window,
  },
  { additionalProperties: false },
)

export const BacktestBody = Type.Object(
  {
    ...PoliciesBody.properties,
    days: Type.Optional(Type.Integer({ minimum: 1, maximum: DAYS_MAX, description: 'Days to replay, the last ones' })),
  },
  { additionalProperties: false },
)

export const ReplayBody = Type.Object(
  {
    files: Type.Array(Type.Object({ path: Type.String({ maxLength: 1024 }), content: Type.String() }), {
      maxItems: 20_000,
    }),
    ...window,
  },
  { additionalProperties: false },
)

export const StepUpBody = Type.Object(
  {
    sensitive: Type.Array(
      Type.Object(
        {
          callee: text('namespace/workload', 1024),
          method: Type.Optional(text('Any when absent', 64)),
          path: Type.Optional(text('As an operation has it; any when absent', 2048)),
          acr: Type.Union(ACRS.map((value) => Type.Literal(value))),
          max_age_s: Type.Optional(Type.Union(AGE_BOUNDS_S.map((value) => Type.Literal(value)))),
          why: text('Why', 1024),
        },
        { additionalProperties: false },
      ),
      { maxItems: SENSITIVE_MAX },
    ),
    rare: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1, description: "Share of a callee's users that is few" }),
    ),
    selector: PoliciesBody.properties.selector,
    ...window,
  },
  { additionalProperties: false },
)

export const DiffBody = Type.Object(
  {
    ...ReplayBody.properties,
    principal: PoliciesBody.properties.principal,
    selector: PoliciesBody.properties.selector,
  },
  { additionalProperties: false },
)

export const SenderBody = Type.Object(
  {
    id: text('Name of the sender', 63),
    sources: Type.Array(text('Source that it may send'), { minItems: 1, maxItems: 50 }),
    cluster: Type.Optional(text('Cluster that it reports from', 253)),
    workloads: Type.Optional(
      Type.Array(text('namespace/workload that it may speak for; * for any characters'), { maxItems: 1000 }),
    ),
    evidence: Type.Optional(Type.Union(Object.keys(EVIDENCE).map((value) => Type.Literal(value)))),
    spiffe: Type.Optional(text('SPIFFE ID in its certificate, for a sender without a token', 2048)),
  },
  { additionalProperties: false },
)

export const IngestParams = Type.Object({ source: text('Id of the source') })

export const WriteQuery = Type.Object({
  cluster: Type.Optional(text('Cluster of the proxies; a registered sender has its own', 253)),
})

export const IngestQuery = Type.Object({
  cluster: Type.Optional(text('Cluster of the reporters; a registered sender has its own', 253)),
  file: Type.Optional(
    Type.Union([Type.Literal('0'), Type.Literal('1')], {
      description: '1: the body is a file, known by its beginning; it may be of any size, and goes on where it was',
    }),
  ),
})
