import type { FindingState } from '../../../services/model/finding.ts'
import type {
  Assessment,
  Finding,
  FindingActRequest,
  FindingListing,
  FindingStory,
  GraphAnswer,
  Operation,
  PolicyAnswer,
  PolicyFile,
  PolicyRequest,
  ReplayResult,
  Source,
  Window,
} from './types.ts'

/** Nodes that one answer may have: more is grouped by the server. A reader cannot use a larger drawing. */
export const NODES_MAX = 150

/** What the server (or the network) refused, with the step that helps. `status` is 0 when no answer came. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly next: string

  constructor(status: number, code: string, message: string, next: string) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.code = code
    this.next = next
  }
}

/** Reads `{error: {code, message, next}}`; a proxy in between may answer with something else entirely. */
export function toApiError(status: number, body: string): ApiError {
  try {
    const error = (JSON.parse(body) as { error?: Record<string, unknown> }).error
    if (error !== undefined && typeof error['message'] === 'string') {
      const text = (key: string) => (typeof error[key] === 'string' ? error[key] : '')
      return new ApiError(status, text('code') || `HTTP ${status}`, error['message'], text('next'))
    }
  } catch {
    // Not JSON: the answer of something that is not Cinch.
  }
  const next = 'Check that this address is that of `cinch serve`, and what stands between it and this browser.'
  return new ApiError(status, `HTTP ${status}`, 'The answer is not one of Cinch.', next)
}

export type Send = (path: string, init: { method?: string; body?: unknown; signal: AbortSignal }) => Promise<unknown>

/**
 * Sends requests to the API of the page's own origin. `token` is asked for each request, so that a new one counts at
 * once. Throws `ApiError`, or the signal's reason when it was aborted.
 */
export function createSend(token: () => string, fetch = globalThis.fetch): Send {
  return async (path, { method = 'GET', body, signal }) => {
    const headers: Record<string, string> = { accept: 'application/json' }
    if (token() !== '') headers['authorization'] = `Bearer ${token()}`
    if (body !== undefined) headers['content-type'] = 'application/json'
    const init = { method, headers, signal, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
    const response = await fetch(path, init).catch((reason: unknown) => {
      if (signal.aborted) throw signal.reason
      throw new ApiError(
        0,
        'no answer',
        `The server did not answer (${String(reason)}).`,
        'Is `npx cinch serve` running?',
      )
    })
    const text = await response.text()
    if (!response.ok) throw toApiError(response.status, text)
    return parse(response.status, text)
  }
}

function parse(status: number, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw toApiError(status, text)
  }
}

/** `?since=…&until=…` without what is empty; a list becomes one value with commas. */
export function query(values: Record<string, string | number | readonly string[] | undefined>): string {
  const parameters = new URLSearchParams()
  for (const [key, value] of Object.entries(values)) {
    const text = Array.isArray(value) ? value.join(',') : String(value ?? '')
    if (text !== '') parameters.set(key, text)
  }
  const text = parameters.toString()
  return text === '' ? '' : `?${text}`
}

/** The calls that the screens make, one function each. */
export function createApi(send: Send) {
  const post = (path: string, body: unknown, signal: AbortSignal) => send(path, { method: 'POST', body, signal })
  return {
    graph: (window: Window, expand: readonly string[], signal: AbortSignal) =>
      send(`/api/v1/graph${query({ ...window, limit: NODES_MAX, expand })}`, { signal }) as Promise<GraphAnswer>,
    sources: (signal: AbortSignal) => send('/api/v1/sources', { signal }) as Promise<{ sources: Source[] }>,
    operations: (edge: { source: string; destination: string }, window: Window, signal: AbortSignal) =>
      send(`/api/v1/operations${query({ ...edge, ...window })}`, { signal }) as Promise<{ operations: Operation[] }>,
    checks: (window: Window, signal: AbortSignal) =>
      send(`/api/v1/checks${query({ ...window })}`, { signal }) as Promise<Assessment>,
    findings: (state: FindingState, signal: AbortSignal) =>
      send(`/api/v1/findings${query({ state })}`, { signal }) as Promise<FindingListing>,
    finding: (id: string, signal: AbortSignal) =>
      send(`/api/v1/findings/${encodeURIComponent(id)}`, { signal }) as Promise<FindingStory>,
    actOnFinding: (id: string, request: FindingActRequest, signal: AbortSignal) =>
      post(`/api/v1/findings/${encodeURIComponent(id)}`, request, signal) as Promise<Finding>,
    policies: (request: PolicyRequest, signal: AbortSignal) =>
      post('/api/v1/policies', request, signal) as Promise<PolicyAnswer>,
    replay: (files: PolicyFile[], window: Partial<Window>, signal: AbortSignal) =>
      post('/api/v1/policies/replay', { files, ...window }, signal) as Promise<ReplayResult>,
  }
}

export type Api = ReturnType<typeof createApi>
