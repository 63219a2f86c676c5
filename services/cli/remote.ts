import { open } from 'node:fs/promises'
import type { AskedRisk } from '../api/risk.ts'
import type { IngestResult, Progress } from '../collector/ingest.ts'
import type { Attestation } from '../model/attestation.ts'
import type { VerdictDay } from '../model/check.ts'
import { CinchError, ERRORS, type ErrorCode } from '../model/errors.ts'
import type { Backend } from './backend.ts'

/** The commands over the API of the process that holds the store. */
export function remoteBackend(url: string, token: string): Backend {
  const call = caller(url, token)
  const get = async <T>(path: string, query: object = {}) => await call<T>('GET', path, query)
  const post = async <T>(path: string, body: object) => await call<T>('POST', path, {}, JSON.stringify(body))
  return {
    migrated: [],
    sources: async () => (await get<{ sources: Awaited<ReturnType<Backend['sources']>> }>('/api/v1/sources')).sources,
    ingest: async (source, cluster, path, progress) => await sendFile(call, source, cluster, path, progress),
    graph: async ({ hideNoise, ...window }) => await get('/api/v1/edges', { ...window, hide_noise: hideNoise }),
    screen: async (window, { limit, by, focus, depth, expand, hide }) =>
      await get('/api/v1/graph', {
        ...window,
        limit,
        group_by: by,
        focus,
        depth,
        expand: [...expand].join(','),
        hide: hide.join(','),
      }),
    compare: async (window, earlier, by) =>
      await get('/api/v1/graph/compare', {
        ...window,
        compare_since: earlier.since,
        compare_until: earlier.until,
        group_by: by,
      }),
    generate: async (options) => await call('POST', '/api/v1/policies', {}, JSON.stringify(options)),
    replay: async (files, window) =>
      await call('POST', '/api/v1/policies/replay', {}, JSON.stringify({ files, ...window })),
    diff: async (files, window, rules) =>
      await call('POST', '/api/v1/policies/diff', {}, JSON.stringify({ files, ...window, ...rules })),
    preflight: async (files, window) =>
      await call('POST', '/api/v1/policies/preflight', {}, JSON.stringify({ files, ...window })),
    stepUp: async (asked) => await post('/api/v1/policies/step-up', asked),
    backtest: async (asked) => await call('POST', '/api/v1/policies/backtest', {}, JSON.stringify(asked)),
    rejects: async (source, limit) => await get('/api/v1/rejects', { source, limit }),
    ...remoteRequirements(get, post),
    directory: async (asked) => await get('/api/v1/directory', asked),
    directoryLinks: async (asked) => await get('/api/v1/directory/links', asked),
    disagreements: async (window) => await get('/api/v1/disagreements', window),
    chains: async (asked) => await get('/api/v1/chains', asked),
    doctor: async (source) => await get('/api/v1/doctor', { source }),
    templates: {
      list: async () =>
        (await get<{ callees: Awaited<ReturnType<Backend['templates']['list']>> }>('/api/v1/templates')).callees,
      ofCallee: async (callee) => await get('/api/v1/templates/callee', { callee }),
      pin: async (word) => await call('POST', '/api/v1/templates/pins', {}, JSON.stringify(word)),
    },
    propose: async (options, by, callees) =>
      await post('/api/v1/policies/drafts', { ...options, why: by.why, callees }),
    privilege: async (options) => await post('/api/v1/policies/privilege', options),
    advice: async (target) => await get('/api/v1/policies/advice', { target }),
    lifecycle: remoteLifecycle(get, post),
    risk: remoteRisk(get, post),
    senders: async () => (await get<{ senders: Awaited<ReturnType<Backend['senders']>> }>('/api/v1/senders')).senders,
    register: async (registration) =>
      (await call<{ token: string }>('POST', '/api/v1/senders', {}, JSON.stringify(registration))).token,
    revoke: async (id) => await call('DELETE', `/api/v1/senders/${encodeURIComponent(id)}`),
    close: async () => {},
  }
}

type OfRequirements = 'checks' | 'trend' | 'attestations' | 'findings'

function remoteRequirements(get: Get, post: Post): Pick<Backend, OfRequirements> {
  return {
    checks: async (asked) => await get('/api/v1/checks', asked),
    trend: async (asked) => (await get<{ days: VerdictDay[] }>('/api/v1/checks/trend', asked)).days,
    attestations: {
      list: async () => (await get<{ attestations: Attestation[] }>('/api/v1/checks/attestations')).attestations,
      attest: async (requirement, asked, { why }) =>
        await post('/api/v1/checks/attestations', { requirement, ...asked, why }),
      withdraw: async (requirement, { why }) =>
        await post('/api/v1/checks/attestations/withdraw', { requirement, why }),
    },
    findings: {
      list: async (asked) => await get('/api/v1/findings', asked),
      show: async (id) => await get(`/api/v1/findings/${encodeURIComponent(id)}`),
      act: async (id, act, { why }) => await post(`/api/v1/findings/${encodeURIComponent(id)}`, { ...act, why }),
    },
  }
}

type Get = <T>(path: string, query?: object) => Promise<T>
type Post = <T>(path: string, body: object) => Promise<T>
type Life = Backend['lifecycle']
type Answer<Name extends keyof Life> = Awaited<ReturnType<Life[Name]>>

/** Who does it is known there by the token; a name that is given here is not sent. */
function remoteLifecycle(get: Get, post: Post): Life {
  return {
    drafts: async () => (await get<{ drafts: Answer<'drafts'> }>('/api/v1/policies/drafts')).drafts,
    draft: async (asked) => await get('/api/v1/policies/drafts/one', asked),
    step: async (asked, step, { why }) => await post('/api/v1/policies/drafts/steps', { ...asked, ...step, why }),
    deliver: async (target) => (await get<{ files: Answer<'deliver'> }>('/api/v1/policies/delivery', { target })).files,
    readBack: async (files, target, { why }) => await post('/api/v1/policies/read-back', { files, target, why }),
    declarations: async () => await get('/api/v1/policies/declared'),
    declare: async (permissions, { why }) =>
      (await post<{ declared: Answer<'declare'> }>('/api/v1/policies/declared', { permissions, why })).declared,
    lift: async (id, { why }) => await post('/api/v1/policies/declared/lift', { id, why }),
    windows: async () => (await get<{ windows: string[] }>('/api/v1/policies/windows')).windows,
    changeWindows: async (windows, { why }) => await post('/api/v1/policies/windows', { windows, why }),
    entries: async () => (await get<{ entries: Answer<'entries'> }>('/api/v1/policies/log')).entries,
    verify: async (known = []) =>
      await get('/api/v1/policies/log/verify', { head: known.map(({ seq, hash }) => `${seq}:${hash}`).join(',') }),
  }
}

function remoteRisk(get: Get, post: Post): Backend['risk'] {
  const path = ({ kind, id }: AskedRisk) => `/api/v1/risk/${kind}/${encodeURIComponent(id)}`
  return {
    of: async (asked, at) => await get(path(asked), { at }),
    named: async (kind, subject) => (await get<{ ids: string[] }>('/api/v1/risk/named', { kind, subject })).ids,
    vouch: async (asked, { why }) => await post(`${path(asked)}/vouch`, { why }),
  }
}

type Call = <T>(method: string, path: string, query?: object, body?: string | ReadableStream) => Promise<T>

function caller(url: string, token: string): Call {
  return async <T>(method: string, path: string, query: object = {}, body?: string | ReadableStream): Promise<T> => {
    const asked = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
    const search = new URLSearchParams(asked.map(([name, value]): [string, string] => [name, String(value)]))
    const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream'
    const answer = await fetch(`${url}${path}?${search}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body, duplex: 'half' }),
    }).catch((cause) => {
      throw new CinchError(
        'server_unreachable',
        `the server at ${url} does not answer`,
        'see whether cinch serve still runs',
        { cause },
      )
    })
    const text = await answer.text()
    if (answer.ok) return (text === '' ? undefined : JSON.parse(text)) as T
    throw asError(text, answer.status)
  }
}

function asError(text: string, status: number): CinchError {
  try {
    const { code, message, next } = (JSON.parse(text) as { error: { code: string; message: string; next: string } })
      .error
    return new CinchError(Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'server_unreachable', message, next)
  } catch {
    return new CinchError('server_unreachable', `the server answered ${status}`, 'see its log')
  }
}

async function sendFile(
  call: Call,
  source: string,
  cluster: string,
  path: string,
  progress: Progress,
): Promise<IngestResult> {
  const { bytes, size } = await openFile(path)
  let failure: unknown
  const sent = (async function* () {
    let done = 0
    try {
      for await (const part of bytes) {
        done += part.length
        progress({ name: path, done, size, accepted: 0 })
        yield part
      }
    } catch (error) {
      failure = error
      throw error
    }
  })()
  const query = { cluster, file: '1' }
  return await call<IngestResult>(
    'POST',
    `/ingest/${encodeURIComponent(source)}`,
    query,
    ReadableStream.from(sent),
  ).catch((error: unknown) => {
    // The request broke off because the file did, not the server.
    throw failure === undefined ? error : unreadable(path, failure)
  })
}

async function openFile(path: string): Promise<{ bytes: AsyncIterable<Buffer>; size: number }> {
  if (path === '-') return { bytes: process.stdin, size: 0 }
  const file = await open(path).catch((cause) => {
    throw unreadable(path, cause)
  })
  const found = await file.stat()
  if (found.isDirectory()) {
    await file.close()
    throw new CinchError('bad_file', `${path} is a directory`, 'give the files in it')
  }
  return { bytes: file.createReadStream({ highWaterMark: 1 << 20 }), size: found.size }
}

function unreadable(path: string, cause: unknown): CinchError {
  const why = cause instanceof Error && 'code' in cause ? cause.code : String(cause)
  return new CinchError(
    'bad_file',
    `cannot read ${path}: ${why}`,
    'give a file that exists and that you may read, or - for standard input',
    { cause },
  )
}
