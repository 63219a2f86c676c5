import { createHash, randomBytes } from 'node:crypto'
import { CinchError } from '../model/errors.ts'
import { EVIDENCE, type Evidence, isEvidence } from '../model/evidence.ts'
import { readSenders, type SenderRow, saveSender } from '../store/queries/senders.ts'
import type { Store } from '../store/store.ts'
import type { Origin } from './origin.ts'
import { findSource, SOURCES } from './sources/index.ts'

/** What a sender is registered for. `workloads` are `namespace/workload`, `*` standing for any run of characters; none means all. */
export interface Registration {
  id: string
  sources: string[]
  cluster: string
  workloads: string[]
  evidence: Evidence
  /** Where it shows itself by a certificate with this SPIFFE ID (mutual TLS): it then has no token. */
  spiffe?: string | undefined
}

/** What a sender shows. The SPIFFE ID is that of a certificate which was verified. */
export interface Credential {
  token?: string | undefined
  spiffe?: string | undefined
}

/** Who is registered, and which origin a token's telemetry gets. */
export interface Senders {
  /**
   * Registers a sender, or registers it anew with another token.
   * @returns its token, which is kept nowhere: only its SHA-256 is; '' where it has a SPIFFE ID
   * @throws CinchError `bad_sender`
   */
  register(registration: Registration): Promise<string>
  revoke(id: string): Promise<void>
  list(): Promise<Registration[]>
  /** The origin for what a sender shows and a source; `unknown` when it is nobody's, `forbidden` when not for this source. */
  authorize(credential: Credential, source: string): Promise<Origin | 'unknown' | 'forbidden'>
  /** The origin for a sender's token and a source; undefined when the token is nobody's, or not for this source. */
  origin(token: string, source: string): Promise<Origin | undefined>
  /**
   * The origin for a sender that the operator's configuration names, where the connection itself is the credential (Kafka);
   * undefined when it is not registered, or not for this source.
   */
  named(id: string, source: string): Promise<Origin | undefined>
}

const hash = (token: string) => createHash('sha256').update(token).digest('hex')

/** Registrations are read again from this age on, while those that are known are still taken. */
const READ_AGAIN_MS = 5_000
/** What another process registered or revoked is known after this time: beyond it a request waits for what is read. */
const KNOWN_FOR_MS = 10_000
/** So long at most: senders that were known stay so while the store is away. */
const WAIT_MS = 1_000

/** The registered senders as they were read last: a request must not wait for a query, nor for a store that is away. */
function createCache(store: Pick<Store, 'reads'>, now: () => number) {
  let known: { rows: SenderRow[]; readMs: number } | undefined
  let reading: Promise<SenderRow[]> | undefined
  let askedMs = 0
  const read = () => {
    const startedMs = now()
    askedMs = startedMs
    const asked = readSenders(store.reads).then((rows) => {
      // What was forgotten while it was read is read anew.
      if (reading === asked) known = { rows, readMs: startedMs }
      return rows
    })
    reading = asked
    asked
      .finally(() => {
        if (reading === asked) reading = undefined
      })
      // Whoever waits for it hears of it.
      .catch(() => {})
    return asked
  }
  return {
    rows: async (): Promise<SenderRow[]> => {
      const ageMs = known ? now() - known.readMs : Number.POSITIVE_INFINITY
      if (known && ageMs < READ_AGAIN_MS) return known.rows
      if (!known) return await (reading ?? read())
      const before = known.rows
      if (!reading && now() - askedMs >= WAIT_MS) read()
      const waitMs = WAIT_MS - (now() - askedMs)
      if (!reading || waitMs <= 0 || ageMs < KNOWN_FOR_MS) return before
      return await soon(reading, before, waitMs)
    },
    forget: () => {
      known = undefined
      reading = undefined
    },
  }
}

/** What is asked for, or after a while or a failure what was known before. */
async function soon<T>(asked: Promise<T>, before: T, waitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(before), waitMs)
  })
  return await Promise.race([asked.catch(() => before), late]).finally(() => clearTimeout(timer))
}

export function createSenders(store: Store, now = () => performance.now()): Senders {
  const { rows, forget } = createCache(store, now)
  const save = async (row: SenderRow) => {
    await saveSender(store.jobs, row)
    forget()
  }
  const authorize: Senders['authorize'] = async ({ token, spiffe }, source) => {
    const shown = token ? hash(token) : undefined
    const row = (await rows()).find(
      (sender) =>
        !sender.revoked &&
        ((spiffe && sender.spiffe === spiffe) || (shown !== undefined && sender.token_hash === shown)),
    )
    if (!row) return 'unknown'
    if (!row.sources.includes(findSource(source).id)) return 'forbidden'
    return originOf(row)
  }
  return {
    authorize,
    named: async (id, source) => {
      const row = (await rows()).find((sender) => sender.id === id && !sender.revoked)
      return row?.sources.includes(findSource(source).id) ? originOf(row) : undefined
    },
    register: async (registration) => {
      const row = check(registration)
      const same = (await rows()).find(({ id, revoked, spiffe }) => id !== row.id && !revoked && spiffe === row.spiffe)
      if (row.spiffe !== '' && same)
        throw new CinchError('bad_sender', `${row.spiffe} is the sender '${same.id}' already`, 'revoke that one first')
      const token = row.spiffe === '' ? `cinch_${randomBytes(32).toString('base64url')}` : ''
      await save({ ...row, token_hash: token === '' ? '' : hash(token) })
      return token
    },
    revoke: async (id) => {
      const row = (await rows()).find((sender) => sender.id === id)
      if (!row) throw new CinchError('not_found', `no sender '${id}' is registered`, 'see cinch senders')
      await save({ ...row, revoked: true })
    },
    list: async () => (await rows()).filter((row) => !row.revoked).map(registrationOf),
    origin: async (token, source) => {
      const origin = await authorize({ token }, source)
      return typeof origin === 'string' ? undefined : origin
    },
  }
}

function check({ id, sources, cluster, workloads, evidence, spiffe = '' }: Registration): SenderRow {
  if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(id) || id === 'operator') {
    throw new CinchError(
      'bad_sender',
      `'${id}' is no name for a sender`,
      'use lower-case letters, digits, dots and dashes; operator is taken',
    )
  }
  if (sources.length === 0)
    throw new CinchError(
      'bad_sender',
      'a sender needs at least one source',
      `give --source, one of ${SOURCES.map((source) => source.id).join(', ')}`,
    )
  if (!isEvidence(evidence))
    throw new CinchError(
      'bad_sender',
      `'${evidence}' is no evidence`,
      `give one of ${Object.keys(EVIDENCE).join(', ')}`,
    )
  const wrong = workloads.find((pattern) => !/^[a-z0-9.*-]+\/[A-Za-z0-9._*-]+$/.test(pattern))
  if (wrong)
    throw new CinchError(
      'bad_sender',
      `'${wrong}' names no workloads`,
      "give namespace/workload, where * stands for any characters, such as 'shop/*'",
    )
  if (spiffe !== '' && !isSpiffeId(spiffe))
    throw new CinchError(
      'bad_sender',
      `'${spiffe}' is no SPIFFE ID of a workload`,
      'give the URI of its certificate, such as spiffe://cluster.local/ns/shop/sa/collector',
    )
  return {
    id,
    spiffe,
    token_hash: '',
    sources: sources.map((source) => findSource(source).id),
    cluster,
    speaks_for:
      workloads.length === 0
        ? ''
        : `^(${workloads.map((pattern) => pattern.replaceAll('.', '[.]').replaceAll('*', '[^/]*')).join('|')})$`,
    evidence_cap: EVIDENCE[evidence],
    revoked: false,
  }
}

/** A SPIFFE ID with a path (SPIFFE-ID, section 2): one without names a trust domain, not a workload. */
function isSpiffeId(text: string): boolean {
  return text.length <= 2048 && /^spiffe:\/\/[a-z0-9._-]{1,255}(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)+$/.test(text)
}

function originOf(row: SenderRow): Origin {
  return {
    sender: row.id,
    tenant: '',
    cluster: row.cluster,
    evidenceCap: evidenceOf(row.evidence_cap),
    speaksFor: row.speaks_for,
  }
}

function registrationOf(row: SenderRow): Registration {
  const inner = row.speaks_for.slice(2, -2)
  return {
    id: row.id,
    sources: row.sources,
    cluster: row.cluster,
    workloads: inner === '' ? [] : inner.replaceAll('[^/]*', '*').replaceAll('[.]', '.').split('|'),
    evidence: evidenceOf(row.evidence_cap),
    ...(row.spiffe === '' ? {} : { spiffe: row.spiffe }),
  }
}

function evidenceOf(cap: number): Evidence {
  return (Object.keys(EVIDENCE) as Evidence[]).find((evidence) => EVIDENCE[evidence] === cap) ?? 'none'
}
