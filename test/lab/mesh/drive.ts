import type { Mesh } from './mesh.ts'
import { type Item, type PlanOptions, planOf, type Step } from './plan.ts'
import type { Context } from './truth.ts'

/** Normal items that run side by side; attacks run one after another. */
const CONCURRENCY = 6

/** A step whose answer was another than the plan says. */
export interface Surprise {
  item: number
  situation: string
  step: string
  expected: string
  got: string
}

export interface Driven {
  plan: Item[]
  /** Empty when the mesh did what the plan expects. */
  surprises: Surprise[]
}

/** Sends everything that the plan of `options` says: normal operation first, then the attacks. */
export async function drive(mesh: Mesh, options: PlanOptions): Promise<Driven> {
  const plan = planOf(options)
  const surprises: Surprise[] = []
  const tokens = new Map<string, string>()
  const run = async (item: Item) => {
    for (const step of item.steps) surprises.push(...(await perform(mesh, item, step, tokens)))
  }
  const waiting = plan.filter(({ attack }) => !attack)
  const worker = async () => {
    for (let item = waiting.shift(); item; item = waiting.shift()) await run(item)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  for (const item of plan.filter(({ attack }) => attack)) await run(item)
  return { plan, surprises }
}

async function perform(mesh: Mesh, item: Item, step: Step, tokens: Map<string, string>): Promise<Surprise[]> {
  const { item: number, situation, attack, user } = item
  const context: Context = { item: number, situation, attack, user }
  const [what, expected, got] = await outcome(mesh, context, step, tokens)
  return expected === got ? [] : [{ item: number, situation, step: what, expected, got }]
}

/** What was done, what the plan expects of it, and what came. */
async function outcome(
  mesh: Mesh,
  context: Context,
  step: Step,
  tokens: Map<string, string>,
): Promise<[string, string, string]> {
  const { caller } = mesh
  if (step.kind === 'grpc') {
    const code = await caller.grpc(step.from, step.method, context)
    return [`${step.from} ${step.method}`, `code ${step.code}`, `code ${code}`]
  }
  if (step.kind === 'tcp') {
    const value = await caller.tcp(step.from, step.key, context)
    return [`${step.from} asks the cache`, `refused ${step.refused}`, `refused ${value === undefined}`]
  }
  if (step.kind === 'login') {
    const { user, password, place, status } = step
    const body = JSON.stringify({ user, password })
    const door = { kind: 'browser', place } as const
    const login = { door, callee: 'auth/issuer', method: 'POST', path: '/login', body }
    const answer = await caller.http({ ...login, context: { ...context, user: '' } })
    if (answer.status === 200) tokens.set(user, (JSON.parse(answer.body) as { token: string }).token)
    return [`login of ${user}`, `${status}`, `${answer.status}`]
  }
  const { door, callee, method, path, headers, body, token, close, status, answered } = step
  const bearer = token === undefined ? {} : { authorization: `Bearer ${tokens.get(token) ?? ''}` }
  const all = { ...headers, ...bearer, ...(close && { connection: 'close' }) }
  const send = { door, callee, method, path, headers: all, ...(body && { body: JSON.stringify(body) }) }
  const who = { ...context, user: token ?? '' }
  const answer = await caller.http({ ...send, context: who })
  return [`${method} ${path} of ${callee}`, `${status} ${answered}`, `${answer.status} ${answer.answered}`]
}
