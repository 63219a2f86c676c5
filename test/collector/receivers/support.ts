import { join } from 'node:path'
import { type Cinch, openCinch } from '../../../services/api/cinch.ts'
import type { Gatherer, GathererOptions } from '../../../services/collector/gather/gather.ts'
import { type Flow, type Observer, SILENT } from '../../../services/collector/observe.ts'
import { type ReceiverOptions, type Receivers, startReceivers } from '../../../services/collector/receivers/listen.ts'
import type { Registration } from '../../../services/collector/senders.ts'
import { openStore, type Params, query, type Store } from '../../../services/store/store.ts'
import { scratch } from '../../support/cli.ts'
import { newStore } from '../../support/new-store.ts'
import { filesBelow } from '../support.ts'

/** A store of its own with receivers on free ports. */
export interface TestReceivers {
  path(...parts: string[]): string
  store: Store
  cinch: Cinch
  gatherer: Gatherer
  http: string
  grpc: string
  /** What receivers counted: `delayed otlp_http shop` and the like. */
  counted: Map<string, number>
  faults: unknown[]
  notes: string[]
  register(id: string, sources: string[], more?: Partial<Registration>): Promise<string>
  rows<Row = Record<string, unknown>>(sql: string, params?: Params): Promise<Row[]>
  /** Facts or spans of a sender, and what the batches' counts say. */
  spans(sender: string): Promise<{ spans: number; accepted: number; rejected: number }>
  spooled(): string[]
  close(): Promise<void>
}

/** @param url a ClickHouse server instead of the embedded store; the spool is then in the working directory */
export async function openReceivers(
  name: string,
  gathererOptions: GathererOptions = {},
  options: Partial<ReceiverOptions> = {},
  url?: string,
): Promise<TestReceivers> {
  const room = scratch(name)
  const store = await openStore(
    url === undefined ? { kind: 'chdb', dir: newStore(room.path('store')) } : { kind: 'http', url },
  )
  const notes: string[] = []
  const note = (text: string) => void notes.push(text)
  const cinch = await openCinch(store, { gatherer: { note, ...gathererOptions } })
  const gatherer = await cinch.gatherer()
  const counted = new Map<string, number>()
  const faults: unknown[] = []
  const needs = {
    gatherer,
    senders: cinch.senders,
    observe: counting(counted),
    onFault: (e: unknown) => void faults.push(e),
  }
  const given = { host: '127.0.0.1', httpPort: 0, grpcPort: 0, ...options }
  const receivers: Receivers = await startReceivers(needs, given)
  const rows = <Row>(sql: string, params: Params = {}) => query<Row>(store.reads, sql, params)
  return {
    path: room.path,
    store,
    cinch,
    gatherer,
    http: receivers.http ?? '',
    grpc: receivers.grpc ?? '',
    counted,
    faults,
    notes,
    register: (id, sources, more = {}) =>
      cinch.senders.register({ id, sources, cluster: '', workloads: [], evidence: 'verified', ...more }),
    rows,
    spans: async (sender) => {
      const [spans] = await rows<{ n: number }>('SELECT count() AS n FROM span WHERE sender = {sender:String}', {
        sender,
      })
      const [counts] = await rows<{ a: number; r: number }>(
        'SELECT sum(accepted) AS a, sum(rejected) AS r FROM ingest_batch WHERE sender = {sender:String}',
        { sender },
      )
      return { spans: spans?.n ?? 0, accepted: counts?.a ?? 0, rejected: counts?.r ?? 0 }
    },
    spooled: () => filesBelow(join(store.dataDir, 'spool')),
    close: async () => {
      await receivers.close()
      await cinch.close()
      await store.close()
      room.close()
    },
  }
}

function counting(counted: Map<string, number>): Observer {
  const count = (what: string) => (flow: Flow, by: number) => {
    const key = `${what} ${flow.receiver} ${flow.sender}`
    counted.set(key, (counted.get(key) ?? 0) + by)
  }
  return { ...SILENT, delayed: count('delayed'), dropped: count('dropped'), rejected: count('rejected') }
}
