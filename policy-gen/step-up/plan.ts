import type { ShapeCall } from '../../services/model/chain.ts'
import type { Inventory } from '../../services/model/inventory.ts'
import type { ObservedOperation } from '../../services/model/operation.ts'
import {
  ACRS,
  type Acr,
  type Prompts,
  type Sensitive,
  type StepUp,
  type StepUpTrigger,
  satisfying,
} from '../../services/model/step-up.ts'
import { AGE_BOUNDS_S, distinctUsers, type OperationUsers, type SeenUsers } from '../../services/model/users.ts'
import { calleesOf } from '../callees.ts'
import { PolicyError } from '../errors.ts'
import { indexInventory } from '../inventory-index.ts'
import { namingRule } from '../naming.ts'
import { type Entry, entriesOf, nameOf } from './entries.ts'

/** What all operations of a workload ask for, by the sensitivity that its objects state (`Workload.sensitivity`); other words ask for nothing. */
const ACR_OF_SENSITIVITY: Readonly<Record<string, Acr>> = {
  high: 'phr',
  confidential: 'phr',
  critical: 'phrh',
  restricted: 'phrh',
}
/** Fewer users of a callee than this are too few to call one of its operations rare. */
const RARE_USERS_MIN = 20

/** Root operations of chains, with what they lead to. */
export type Front = Pick<ShapeCall, 'callee' | 'method' | 'path' | 'calls'>

export interface StepUpOptions {
  window: StepUp['window']
  sensitive: readonly Sensitive[]
  /** An operation is rare, and asks for `phr`, when at most this share of its callee's users used it; absent, none is. */
  rare?: number
  fronts?: readonly Front[]
  selectorRule?: string
}

/** A trigger with what a policy must know of its callee. */
export interface PlannedTrigger {
  trigger: StepUpTrigger
  entry: Entry
}

export interface Plan {
  /** Without what only requests tell one by one: sessions. */
  stepUp: StepUp
  planned: PlannedTrigger[]
  /** All operations at which users come in, those that ask first. */
  fronts: { entry: Entry; trigger: StepUpTrigger | null }[]
}

/**
 * Which operations ask users for more, and what that would have meant in the window. It is asked where users come in: of a sensitive
 * operation that only other workloads call, at the root operations of the chains that reach it; never of machines.
 *
 * @throws PolicyError `bad_option`
 */
export function planStepUp(
  operations: readonly ObservedOperation[],
  inventory: Inventory,
  { window, sensitive, rare, fronts = [], selectorRule }: StepUpOptions,
): Plan {
  const declared = [...sensitive.map(checked), ...stated(inventory)]
  const rule = selectorRule === undefined ? null : namingRule(selectorRule, '--selector')
  const index = indexInventory(inventory)
  const entries = entriesOf(operations, calleesOf(operations, index, { selector: rule, ambient: [] }), index)
  const isRare = rarity(entries, rare)
  const planned = new Map<Entry, StepUpTrigger>()
  const unasked: StepUp['unasked'] = []
  for (const entry of entries) {
    const needs = [...declared.filter((one) => isOf(one, entry)), ...isRare(entry)]
    if (needs.length === 0) continue
    const asked = isFront(entry) ? [entry] : entriesBefore(entry, fronts, entries)
    for (const front of asked) ask(planned, front, needs, front === entry ? [] : [nameOf(entry)])
    if (asked.length === 0) unasked.push({ operation: nameOf(entry), reason: reasonOf(entry) })
  }
  const triggers = [...planned].map(([entry, trigger]) => ({
    entry,
    trigger: { ...trigger, ...promptsOf(entry, trigger) },
  }))
  triggers.sort((left, right) => (nameOf(left.entry) < nameOf(right.entry) ? -1 : 1))
  const sums = summed(triggers, entries.filter(isFront))
  const others = entries.filter((entry) => isFront(entry) && !planned.has(entry))
  return {
    stepUp: { window, ...sums, by_session: null, triggers: triggers.map(({ trigger }) => trigger), unasked },
    planned: triggers,
    fronts: [...triggers, ...others.map((entry) => ({ entry, trigger: null }))],
  }
}

const isFront = ({ front }: Entry) => front.seen.some(({ requests }) => requests > 0)

function reasonOf({ isTold, all }: Entry): string {
  if (!isTold) return 'nobody told whether it carries users'
  return all.seen.length === 0
    ? 'only machines use it'
    : 'users reach it through other workloads, and no chain tells at which operation they came in'
}

function isOf({ callee, method, path }: Sensitive, entry: Entry): boolean {
  return (
    callee === entry.id &&
    (method === undefined || method === entry.method) &&
    (path === undefined || path === entry.path)
  )
}

function checked(one: Sensitive): Sensitive {
  const ages: readonly number[] = AGE_BOUNDS_S
  if (!ACRS.includes(one.acr)) throw new PolicyError('bad_option', `acr is one of ${ACRS.join(', ')}, not ${one.acr}`)
  if (one.max_age_s !== undefined && !ages.includes(one.max_age_s)) {
    throw new PolicyError('bad_option', `max_age_s is one of ${ages.join(', ')}, for rollups know no others`)
  }
  return one
}

function stated({ workloads }: Inventory): Sensitive[] {
  return workloads.flatMap(({ namespace, name, sensitivity = '' }) => {
    const word = sensitivity.toLowerCase()
    const acr = Object.hasOwn(ACR_OF_SENSITIVITY, word) ? ACR_OF_SENSITIVITY[word] : undefined
    return acr ? [{ callee: `${namespace}/${name}`, acr, why: `its workload's sensitivity is ${word}` }] : []
  })
}

function rarity(entries: readonly Entry[], share: number | undefined): (entry: Entry) => Sensitive[] {
  if (share === undefined) return () => []
  if (!(share > 0 && share < 1)) throw new PolicyError('bad_option', `rare is a share between 0 and 1, not ${share}`)
  const count = (some: readonly Entry[]) => distinctUsers(some.flatMap(({ all }) => all.seen.map(({ marks }) => marks)))
  const usersOf = new Map([...Map.groupBy(entries, ({ id }) => id)].map(([id, some]) => [id, count(some)]))
  return (entry) => {
    const [users, own] = [usersOf.get(entry.id) ?? 0, count([entry])]
    if (own === 0 || users < RARE_USERS_MIN || own > users * share) return []
    return [{ callee: entry.id, acr: 'phr', why: `${own} of its callee's ${users} users used it` }]
  }
}

/** Of the root operations whose chains reach an operation, those at which users come in. */
function entriesBefore(entry: Entry, fronts: readonly Front[], entries: readonly Entry[]): Entry[] {
  const reaches = (calls: readonly ShapeCall[]): boolean =>
    calls.some((call) => isSame(call, entry) || reaches(call.calls))
  const roots = fronts.filter(({ calls }) => reaches(calls))
  return entries.filter((one) => isFront(one) && roots.some((root) => isSame(root, one)))
}

const isSame = (call: Pick<ShapeCall, 'callee' | 'method' | 'path'>, { id, method, path }: Entry) =>
  call.callee === id && call.method === method && isOfTemplate(call.path, path)

/** Chains have paths as they were observed, operations may have templates of them. */
function isOfTemplate(path: string, template: string): boolean {
  const [parts, names] = [path.split('/'), template.split('/')]
  return parts.length === names.length && names.every((name, at) => name === parts[at] || /^\{.*\}$/.test(name))
}

function ask(planned: Map<Entry, StepUpTrigger>, entry: Entry, needs: readonly Sensitive[], behind: string[]): void {
  const known = planned.get(entry)
  const acr: Acr = known?.acr === 'phrh' || needs.some((one) => one.acr === 'phrh') ? 'phrh' : 'phr'
  const ages = [known?.max_age_s, ...needs.map(({ max_age_s }) => max_age_s)].flatMap((age) => age ?? [])
  planned.set(entry, {
    callee: entry.id,
    method: entry.method,
    path: entry.path,
    port: entry.port,
    acr,
    max_age_s: ages.length > 0 ? Math.min(...ages) : null,
    why: [...new Set([...(known?.why ?? []), ...needs.map(({ why }) => why)])],
    behind: [...new Set([...(known?.behind ?? []), ...behind])].sort(),
    by_session: null,
    ...NO_PROMPTS,
  })
}

const NO_PROMPTS: Prompts = { requests: 0, users: 0, prompted: 0, prompted_users: 0, uncertain: 0 }

/** Of a class of users: whether what they have is enough, null where telemetry does not tell. */
function suffices({ acr, ageS }: SeenUsers, trigger: Pick<StepUpTrigger, 'acr' | 'max_age_s'>): boolean | null {
  const strong = acr === null ? null : (satisfying(trigger.acr) as string[]).includes(acr)
  const fresh = trigger.max_age_s === null ? true : ageS === null ? null : ageS <= trigger.max_age_s
  if (strong === false || fresh === false) return false
  return strong === null || fresh === null ? null : true
}

const requestsOf = (seen: readonly SeenUsers[]) => seen.reduce((sum, { requests }) => sum + requests, 0)
const served = ({ seen }: OperationUsers) => seen.filter(({ requests }) => requests > 0)
const marksOf = (seen: readonly SeenUsers[]) => seen.map(({ marks }) => marks)

function promptsOf({ front }: Entry, trigger: StepUpTrigger): Prompts {
  const seen = served(front)
  const prompted = seen.filter((one) => suffices(one, trigger) === false)
  return {
    requests: requestsOf(seen),
    users: distinctUsers(marksOf(seen)),
    prompted: requestsOf(prompted),
    prompted_users: distinctUsers(marksOf(prompted)),
    uncertain: requestsOf(seen.filter((one) => suffices(one, trigger) === null)),
  }
}

function summed(triggers: readonly PlannedTrigger[], fronts: readonly Entry[]): Prompts & { share: number } {
  const all = fronts.flatMap(({ front }) => served(front))
  const prompted = triggers.flatMap(({ entry, trigger }) =>
    served(entry.front).filter((one) => suffices(one, trigger) === false),
  )
  const requests = requestsOf(all)
  return {
    requests,
    users: distinctUsers(marksOf(all)),
    prompted: requestsOf(prompted),
    prompted_users: distinctUsers(marksOf(prompted)),
    uncertain: triggers.reduce((sum, { trigger }) => sum + trigger.uncertain, 0),
    share: requests === 0 ? 0 : requestsOf(prompted) / requests,
  }
}
