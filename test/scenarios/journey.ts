import { hex, type Random, random } from './random.ts'
import type { JourneySpec, PathSpec } from './tables.ts'
import { createCustomers, createStaff, createVisitors, type User } from './users.ts'
import { createValues, parameterNames, type Values } from './values.ts'

/** One journey as it runs: who makes it, its ids, and the values that all of its calls share. */
export interface Trip {
  journey: JourneySpec
  cluster: number
  user: User
  requestId: string
  traceId: string
}

/** Makes trips and fills paths. All randomness of ids and values is here. */
export class Traveller {
  readonly #draw: Random
  readonly #values: Values
  readonly #customers: User[]
  readonly #staff: User[]
  readonly #visitors: User[]
  readonly #quads = Array.from({ length: 65_536 }, (_, i) => i.toString(16).padStart(4, '0'))
  readonly #requestTails: string[]
  readonly #traceTails: string[]
  readonly #spanHalves: string[]
  readonly #memo: string[] = parameterNames.map(() => '')

  constructor(seed: number) {
    this.#draw = random(seed, 'trips')
    this.#values = createValues(seed)
    const people = random(seed, 'people')
    this.#customers = createCustomers(3000, people)
    this.#staff = createStaff(40, people)
    this.#visitors = createVisitors(2000, people)
    // Envoy marks a sampled trace by the digit 9 in the id's version place.
    this.#requestTails = Array.from({ length: 4096 }, () => `-9${hex(3, people)}-b${hex(3, people)}-${hex(12, people)}`)
    this.#traceTails = Array.from({ length: 4096 }, () => hex(20, people))
    this.#spanHalves = Array.from({ length: 4096 }, () => hex(8, people))
  }

  begin(journey: JourneySpec, eastShare: number): Trip {
    this.#memo.fill('')
    const east = this.#draw() < eastShare
    const cluster = journey.cluster === '' ? (east ? 0 : 1) : journey.cluster === 'east' ? 0 : 1
    const requestId = `${this.#quad()}${this.#quad()}-${this.#quad()}${this.#pick(this.#requestTails)}`
    const traceId = `${this.#quad()}${this.#quad()}${this.#quad()}${this.#pick(this.#traceTails)}`
    return { journey, cluster, user: this.#user(journey), requestId, traceId }
  }

  /** The path, or the query too; values stay the same within one trip unless the table asks for fresh ones. */
  fill(path: PathSpec, timeMs: number): string {
    let filled = path.literals[0] ?? ''
    for (let i = 0; i < path.parameters.length; i++) {
      const { index = 0, fresh = false } = path.parameters[i] ?? {}
      let value = fresh ? '' : (this.#memo[index] ?? '')
      if (value === '') {
        value = this.#values.draw(index, timeMs, this.#draw)
        this.#memo[index] = value
      }
      filled += value + (path.literals[i + 1] ?? '')
    }
    return filled
  }

  /** Distinct within a trace, which is all that a span id has to be. */
  spanId(): string {
    return this.#pick(this.#spanHalves) + this.#pick(this.#spanHalves)
  }

  #user({ users }: JourneySpec): User {
    if (users === 'staff') return this.#pick(this.#staff)
    if (users === 'customer' || (users === 'maybe' && this.#draw() < 0.5)) return this.#pick(this.#customers)
    return this.#pick(this.#visitors)
  }

  #quad(): string {
    return this.#quads[Math.floor(this.#draw() * 65_536)] ?? '0000'
  }

  #pick<Item>(items: Item[]): Item {
    const item = items[Math.floor(this.#draw() * items.length)]
    if (item === undefined) throw new Error('nothing to pick from: a pool of the scenario is empty')
    return item
  }
}

const SECONDS = Array.from({ length: 60 }, (_, i) => String(i).padStart(2, '0'))
const MILLISECONDS = Array.from({ length: 1000 }, (_, i) => `.${String(i).padStart(3, '0')}Z`)

/** Unix milliseconds to ISO 8601 with milliseconds; the part up to the minute is kept from call to call. */
export function createClock(): (timeMs: number) => string {
  let minute = -1
  let prefix = ''
  return (timeMs) => {
    const now = Math.floor(timeMs / 60_000)
    if (now !== minute) {
      minute = now
      prefix = new Date(now * 60_000).toISOString().slice(0, 17)
    }
    const rest = timeMs - now * 60_000
    const second = Math.floor(rest / 1000)
    return `${prefix}${SECONDS[second]}${MILLISECONDS[rest - second * 1000]}`
  }
}
