import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Generated } from '../../policy-gen/generate.ts'
import type { PolicyFile } from '../../policy-gen/targets/target.ts'
import type { AskedChains } from '../api/chains.ts'
import { type Cinch, openCinch } from '../api/cinch.ts'
import type { Proposed } from '../api/lifecycle/lifecycle.ts'
import type { By } from '../api/lifecycle/log.ts'
import type { AskedRisk, Risk } from '../api/risk.ts'
import {
  type AskedBacktest,
  type AskedStepUp,
  backtestRequest,
  generateRequest,
  type PolicyOptions,
  stepUpRequest,
} from '../api/routes/policies.ts'
import { type AskedWindow, timeOf } from '../api/window.ts'
import type { IngestResult, Progress } from '../collector/ingest.ts'
import { openInput } from '../collector/input/input.ts'
import type { Registration } from '../collector/senders.ts'
import { CinchError } from '../model/errors.ts'
import type { ReplayResult } from '../model/replay.ts'
import type { RiskAnswer } from '../model/risk.ts'
import type { StoreLocation } from '../store/location.ts'
import { openStore, readHolder, type Store } from '../store/store.ts'
import { remoteBackend } from './remote.ts'

/** What commands ask for, whether this process holds the store or another one serves it. */
export interface Backend {
  /** Migrations that opening the store applied; empty when another process holds it. */
  migrated: number[]
  sources(): ReturnType<Cinch['sources']>
  ingest(source: string, cluster: string, path: string, progress: Progress): Promise<IngestResult>
  /** Only where this process holds the store; the one that serves it has `--follow` of its own. */
  follow?: Cinch['follow']
  analyze?: Cinch['analyze']
  /** Only where this process holds the store; the one that serves it learns of itself. */
  learnOperations?: Cinch['learnOperations']
  graph: Cinch['graph']
  screen: Cinch['screen']
  compare: Cinch['compare']
  generate(options: PolicyOptions): Promise<Generated>
  replay(files: PolicyFile[], window: AskedWindow): Promise<ReplayResult>
  diff: Cinch['diff']
  preflight: Cinch['preflight']
  stepUp(asked: AskedStepUp): ReturnType<Cinch['stepUp']>
  backtest(asked: AskedBacktest): ReturnType<Cinch['backtest']>
  rejects(source: string, limit: number): ReturnType<Cinch['rejects']>
  doctor(source: string): ReturnType<Cinch['doctor']>
  directory: Cinch['directory']
  directoryLinks: Cinch['directoryLinks']
  disagreements: Cinch['disagreements']
  checks: Cinch['checks']
  trend: Cinch['trend']
  attestations: Cinch['attestations']
  findings: Pick<Cinch['findings'], 'list' | 'show' | 'act'>
  chains(asked: AskedChains): ReturnType<Cinch['chains']>
  templates: Cinch['templates']
  lifecycle: Omit<Cinch['lifecycle'], 'propose'>
  advice: Cinch['advice']
  privilege(options: PolicyOptions): ReturnType<Cinch['privilege']>
  /** Generates, and makes drafts of what is new. */
  propose(options: PolicyOptions, by: By, callees?: readonly string[]): Promise<Proposed>
  risk: {
    of(asked: AskedRisk, at: string | undefined): Promise<RiskAnswer>
    named: Risk['named']
    vouch(asked: AskedRisk, by: By): Promise<RiskAnswer>
  }
  senders(): Promise<Registration[]>
  register(registration: Registration): Promise<string>
  revoke(id: string): Promise<void>
  close(): Promise<void>
}

/** Opens the store; while another process serves the embedded one, its API, and says so. */
export async function openBackend(location: StoreLocation, note: (text: string) => void): Promise<Backend> {
  const holder = location.kind === 'chdb' ? readHolder(location.dir) : undefined
  if (location.kind === 'chdb' && holder?.url) {
    note(`the store is served by process ${holder.pid}: asking its API at ${holder.url}`)
    return remoteBackend(holder.url, readToken(location.dir))
  }
  return await localBackend(location, note)
}

/**
 * Opens the store for this process.
 * @throws CinchError what `openStore` throws, and `store_unavailable` where the file system refuses the directory
 */
export async function openOwnStore(location: StoreLocation): Promise<Store> {
  try {
    return await openStore(location)
  } catch (cause) {
    if (location.kind !== 'chdb' || !isSystemError(cause)) throw cause
    throw new CinchError(
      'store_unavailable',
      `the store in ${location.dir} cannot be opened: ${cause.code}`,
      'give a directory that you may write to: --store chdb:<directory>',
      { cause },
    )
  }
}

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error && 'code' in error

function readToken(dir: string): string {
  const path = join(dir, 'admin-token')
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw new CinchError(
      'unauthorized',
      `the admin token in ${path} cannot be read`,
      'run as the user that runs cinch serve',
      { cause },
    )
  }
}

async function localBackend(location: StoreLocation, note: (text: string) => void): Promise<Backend> {
  const store = await openOwnStore(location)
  try {
    const cinch = await openCinch(store)
    noteRecovery(cinch.recovered, note)
    return {
      ...cinch,
      ingest: async (source, cluster, path, progress) =>
        await cinch.ingest(source, cluster, await openInput(path), progress),
      generate: async (options) => await cinch.generate(generateRequest(options)),
      stepUp: async (asked) => await cinch.stepUp(stepUpRequest(asked)),
      backtest: async (asked) => await cinch.backtest(backtestRequest(asked)),
      privilege: async (options) => await cinch.privilege(generateRequest(options)),
      propose: async (options, by, callees) => await cinch.propose(generateRequest(options), by, callees),
      risk: ownRisk(cinch.risk),
      senders: () => cinch.senders.list(),
      register: (registration) => cinch.senders.register(registration),
      revoke: (id) => cinch.senders.revoke(id),
      close: () => store.close(),
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Nobody else judges what came: it is judged when it is asked for. */
function ownRisk(risk: Risk): Backend['risk'] {
  return {
    of: async (asked, at) => {
      await risk.judge()
      return await risk.of(asked, at === undefined ? undefined : timeOf(at, Date.now()))
    },
    named: async (kind, subject) => {
      await risk.judge()
      return await risk.named(kind, subject)
    },
    vouch: async (asked, by) => {
      await risk.judge()
      return await risk.vouch(asked, by)
    },
  }
}

/** Says what became of chunks that an earlier process left. */
export function noteRecovery({ inserted, failed }: Cinch['recovered'], note: (text: string) => void): void {
  if (inserted > 0) note(`finished ${inserted} chunks that an earlier process left`)
  if (failed.length > 0)
    note(
      `${failed.length} chunks in the spool cannot be inserted and stay there: ${failed[0]?.split('\n')[0]?.slice(0, 300)}`,
    )
}
