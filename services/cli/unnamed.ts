import type { Graph, Reason } from '../model/graph.ts'

/** What each reason means, for people: `model/graph.ts`. */
const WORDS: Record<Reason, string> = {
  root: 'a trace begins there',
  unpaired: "the span's parent never came",
  unknown: 'not looked at yet, or told more than once',
  two_callers: 'two proxies claim the connection',
  contradicted: 'who used the connection is not whose address it is',
  relay: 'passed on by a gateway whose own line is missing',
  unnamed_caller: "the caller's line does not say who wrote it",
  forwarded_address: 'the client sent the address along',
  shared_address: 'several had the address',
  unknown_address: 'nobody is known to have had the address',
  untrusted_sender: 'its sender is registered for no evidence',
}

/** How many requests have no caller with a name, and why; undefined where all have one. */
export function unnamedText({ edges, unattributed }: Pick<Graph, 'edges' | 'unattributed'>): string | undefined {
  const sums = new Map<Reason, number>()
  const add = (reason: Reason, requests: number) => sums.set(reason, (sums.get(reason) ?? 0) + requests)
  for (const { reason, requests } of unattributed) add(reason, requests)
  for (const { unnamed = {} } of edges)
    for (const [reason, requests] of Object.entries(unnamed)) add(reason as Reason, requests)
  if (sums.size === 0) return undefined
  const reasons = [...sums].sort(([a, most], [b, other]) => other - most || (a < b ? -1 : 1))
  const total = reasons.reduce((sum, [, requests]) => sum + requests, 0)
  const told = reasons.map(([reason, requests]) => `${requests.toLocaleString('en')} ${reason} (${WORDS[reason]})`)
  return `${total.toLocaleString('en')} requests without a caller's name: ${told.join(', ')}`
}
