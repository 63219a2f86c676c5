import { seeded } from '../../policy-gen/support.ts'
import { ACCOUNTS } from './accounts.ts'
import { ORDERS_MAX } from './applications.ts'
import { attackItems } from './attacks.ts'
import type { Door } from './client.ts'
import type { StockMethod } from './stock.ts'
import { PARTNER, PUBLIC_HOST } from './world.ts'

/** One thing that the driver does, and what must come of it. Everything that follows inside the mesh is the mesh's doing. */
export type Step =
  | {
      kind: 'http'
      door: Door
      callee: string
      method: string
      path: string
      headers?: Record<string, string>
      body?: object
      /** Whose token goes along: the user who logged in in this item, or by name whoever logged in last. */
      token?: string
      /** Closes the connection afterwards; otherwise it is kept alive. */
      close?: boolean
      status: number
      /** False where a proxy answers in the application's place. */
      answered: boolean
    }
  | { kind: 'login'; place: number; user: string; password: string; status: number }
  | { kind: 'grpc'; from: string; method: StockMethod; code: number }
  | { kind: 'tcp'; from: string; key: string; refused: boolean }

/** A part of the run: its steps one after another. `user` is who is at the keyboard, if anybody. */
export interface Item {
  item: number
  situation: string
  attack: boolean
  user: string
  steps: Step[]
}

export type Draft = Omit<Item, 'item'>

/** Chooses among numbers and things, by the seed alone. */
export interface Dice {
  below(limit: number): number
  of<T>(things: readonly T[]): T
  uuid(): string
}

export function diceOf(seed: number): Dice {
  const random = seeded(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const hex = (digits: number) => Array.from({ length: digits }, () => below(16).toString(16)).join('')
  return {
    below,
    of: (things) => things[below(things.length)] as (typeof things)[number],
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`,
  }
}

export interface PlanOptions {
  seed: number
  /** 1 is about a hundred requests of users and their consequences; attacks do not grow with it. */
  scale: number
  /** Without it only normal operation is planned. */
  attacks?: boolean
  /** How the legacy system calls the catalog; `mutual` once it has an identity. Default `plain`. */
  legacy?: 'plain' | 'mutual'
}

/** Sessions of users for each unit of scale. */
const SESSIONS = 12

/**
 * Everything that will be sent, from the seed alone and before anything is sent. Normal items may run side by side; attacks
 * come after them, because they need what normal users did (a token to steal).
 */
export function planOf({ seed, scale, attacks = true, legacy = 'plain' }: PlanOptions): Item[] {
  const dice = diceOf(seed)
  const sessions = Array.from({ length: Math.max(1, Math.round(SESSIONS * scale)) }, (_, index) => session(index, dice))
  const rounds = Array.from({ length: Math.max(1, Math.round(scale)) }, () => jobs(dice, legacy)).flat()
  const normal = [...sessions, ...rounds]
  return [...normal, ...(attacks ? attackItems(dice) : [])].map((draft, item) => ({ ...draft, item }))
}

/** Where a user sits at all times. */
export const placeOf = (user: string) => ACCOUNTS.findIndex(({ name }) => name === user)

type Options = Partial<Pick<Extract<Step, { kind: 'http' }>, 'token' | 'body' | 'headers' | 'close' | 'answered'>>

/** A request of a browser at `place`. */
export function browse(
  place: number,
  callee: string,
  method: string,
  path: string,
  status = 200,
  options: Options = {},
): Step {
  return { kind: 'http', door: { kind: 'browser', place }, callee, method, path, status, answered: true, ...options }
}

/** A user logs in and does some of what users do. */
function session(index: number, dice: Dice): Draft {
  const user = ACCOUNTS[index % ACCOUNTS.length]?.name ?? ''
  const place = placeOf(user)
  const to = 'shop/frontend'
  const token = user
  const order = () => 10 * dice.below(ORDERS_MAX / 10) + 1
  const own = (method: string, path: string, status: number, options: Options = {}) =>
    browse(place, 'shop/orders', method, `/api${path}`, status, { token, ...options })
  const habits: (() => Step[])[] = [
    () => [browse(place, to, 'GET', '/products?sort=name')],
    () => [browse(place, to, 'GET', `/products/${dice.below(900)}`)],
    () => [browse(place, to, 'GET', `/products/${dice.below(900)}`, 200, { close: true })],
    () => [browse(place, to, 'GET', '/account', 200, { token })],
    () => [own('GET', '/orders', 200), own('GET', `/orders/${order()}`, 200)],
    () => [preflight(place), own('POST', '/orders', 201), own('POST', `/orders/${order()}/pay`, 200)],
    // Not found, and a payment that the fraud check breaks on.
    () => [own('GET', `/orders/${ORDERS_MAX + dice.below(100)}`, 404)],
    () => [own('POST', `/orders/${order() + 6}/pay`, 502)],
    // A service that fails the first time, an answer that comes too late, and a stream.
    () => [browse(place, to, 'GET', `/specials/${dice.below(900)}`)],
    () => [own('GET', `/orders/slow/${order()}`, 504, { answered: false })],
    () => [browse(place, to, 'GET', `/watch/${dice.below(900)}`)],
    () => [browse(place, to, 'GET', '/account', 401, { answered: false })],
  ]
  const login: Step = { kind: 'login', place, user, password: `${user}-secret`, status: 200 }
  // The first of everything in turn, so that even a small run has every situation; the rest by chance.
  const first = habits[index % habits.length]?.() ?? []
  const rest = Array.from({ length: 4 + dice.below(3) }, () => dice.of(habits)()).flat()
  return { situation: 'session', attack: false, user, steps: [login, ...first, ...rest] }
}

function preflight(place: number): Step {
  const headers = { origin: `https://${PUBLIC_HOST}`, 'access-control-request-method': 'POST' }
  return browse(place, 'shop/orders', 'OPTIONS', '/api/orders', 200, { headers, answered: false })
}

/** What no user asks for: a nightly report over both clusters and a feed outside, and the legacy system's own job. */
function jobs(dice: Dice, legacy: 'plain' | 'mutual'): Draft[] {
  const sidecar = { kind: 'sidecar', from: 'ops/reports' } as const
  const report = (callee: string, path: string): Step => ({
    ...{ kind: 'http', door: sidecar, callee, method: 'GET', path, status: 200, answered: true },
  })
  const day = String(1 + dice.below(28)).padStart(2, '0')
  const from = 'legacy/printer'
  const door: Door = legacy === 'plain' ? { kind: 'plain', from, to: 'sidecar' } : { kind: 'mutual', from }
  const steps = [
    report('shop/orders', '/orders/export?format=csv'),
    report('risk/fraud', '/summary'),
    report(PARTNER, `/feeds/2026-02-${day}`),
  ]
  const callee = dice.of(['shop/catalog-v1', 'shop/catalog-v2'])
  return [
    { situation: 'report', attack: false, user: '', steps },
    {
      situation: 'legacy',
      attack: false,
      user: '',
      steps: [{ kind: 'http', door, callee, method: 'GET', path: '/items/export', status: 200, answered: true }],
    },
  ]
}
