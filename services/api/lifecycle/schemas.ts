import Type from 'typebox'
import { PoliciesBody, ReplayBody } from '../schemas.ts'

/** Query and body schemas of the life of policies. */

const text = (description: string, maxLength = 256) => Type.String({ description, maxLength })
const WHY = text('Why; kept in the log', 1024)
const closed = { additionalProperties: false }

const DRAFT = {
  target: Type.Optional(text('Policy target; istio when absent')),
  callee: text('cluster/namespace/workload, or with * as the workload what holds for the namespace', 1024),
  digest: Type.Optional(text("Beginning of the draft's digest; the newest draft when absent", 64)),
}

export const TargetQuery = Type.Object({ target: DRAFT.target })

export const DraftQuery = Type.Object(DRAFT)

export const ProposeBody = Type.Object(
  {
    ...PoliciesBody.properties,
    why: WHY,
    callees: Type.Optional(Type.Array(text('Only of these callees', 1024), { maxItems: 10_000 })),
  },
  closed,
)

export const StepBody = Type.Object(
  {
    ...DRAFT,
    action: Type.Union(
      ['submit', 'return', 'approve', 'promote', 'withdraw', 'roll_back'].map((value) => Type.Literal(value)),
    ),
    as: Type.Optional(text('To approve: the owner for whom')),
    acknowledged: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'To approve: how many operations that would be denied were seen; all must be',
      }),
    ),
    unowned: Type.Optional(Type.Boolean({ description: 'To approve where nobody is declared as the owner' })),
    to: Type.Optional(
      Type.Union(
        ['dry_run', 'enforced'].map((value) => Type.Literal(value)),
        { description: 'To promote: the stage' },
      ),
    ),
    why: WHY,
  },
  closed,
)

export const ReadBackBody = Type.Object({ files: ReplayBody.properties.files, target: DRAFT.target, why: WHY }, closed)

export const DeclareBody = Type.Object(
  { permissions: Type.Array(Type.Object({}, { additionalProperties: true }), { maxItems: 10_000 }), why: WHY },
  closed,
)

export const LiftBody = Type.Object({ id: text('Id of the declaration', 63), why: WHY }, closed)

export const WindowsBody = Type.Object(
  { windows: Type.Array(text("Such as 'Mon-Thu 09:00-16:00' (UTC)", 64), { maxItems: 50 }), why: WHY },
  closed,
)

export const LogQuery = Type.Object({
  head: Type.Optional(text('Heads that were kept, as SEQ:HASH, separated by commas', 4096)),
})
