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
}

/** Who is registered, and which origin a token's telemetry gets. */
export interface Senders {
  /**
   * Registers a sender, or registers it anew with another token.
   * @returns its token, which is kept nowhere: only its SHA-256 is
   * @throws CinchError `bad_sender`
   */
  register(registration: Registration): Promise<string>
  revoke(id: string): Promise<void>
  list(): Promise<Registration[]>
  /** The origin for a sender's token and a source; undefined when the token is nobody's, or not for this source. */
  origin(token: string, source: string): Promise<Origin | undefined>
}

const hash = (token: string) => createHash('sha256').update(token).digest('hex')

export function createSenders(store: Store): Senders {
  // Read once, and again after a registration: a request must not wait for a query.
  let known: Promise<SenderRow[]> | undefined
  const rows = () => {
    known ??= readSenders(store.reads).catch((error) => {
      known = undefined
      throw error
    })
    return known
  }
  const save = async (row: SenderRow) => {
    await saveSender(store.jobs, row)
    known = undefined
  }
  return {
    register: async (registration) => {
      const row = check(registration)
      const token = `cinch_${randomBytes(32).toString('base64url')}`
      await save({ ...row, token_hash: hash(token) })
      return token
    },
    revoke: async (id) => {
      const row = (await rows()).find((sender) => sender.id === id)
      if (!row) throw new CinchError('not_found', `no sender '${id}' is registered`, 'see cinch senders')
      await save({ ...row, revoked: true })
    },
    list: async () => (await rows()).filter((row) => !row.revoked).map(registrationOf),
    origin: async (token, source) => {
      const row = (await rows()).find((sender) => sender.token_hash === hash(token))
      if (!row || row.revoked || !row.sources.includes(findSource(source).id)) return undefined
      return {
        sender: row.id,
        tenant: '',
        cluster: row.cluster,
        evidenceCap: evidenceOf(row.evidence_cap),
        speaksFor: row.speaks_for,
      }
    },
  }
}

function check({ id, sources, cluster, workloads, evidence }: Registration): SenderRow {
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
  return {
    id,
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

function registrationOf(row: SenderRow): Registration {
  const inner = row.speaks_for.slice(2, -2)
  return {
    id: row.id,
    sources: row.sources,
    cluster: row.cluster,
    workloads: inner === '' ? [] : inner.replaceAll('[^/]*', '*').replaceAll('[.]', '.').split('|'),
    evidence: evidenceOf(row.evidence_cap),
  }
}

function evidenceOf(cap: number): Evidence {
  return (Object.keys(EVIDENCE) as Evidence[]).find((evidence) => EVIDENCE[evidence] === cap) ?? 'none'
}
