import { createCommitter } from '../../../services/collector/commit.ts'
import { startKafkaReceiver } from '../../../services/collector/receivers/kafka/receiver.ts'
import { createSenders } from '../../../services/collector/senders.ts'
import { migrate } from '../../../services/store/migrate.ts'
import { openStore, query } from '../../../services/store/store.ts'
import { linesOf } from './topics.ts'

/**
 * What `cinch serve` does with a topic, for a test to kill: `node kill-child.ts DIR BROKER TOPIC CHUNK_BYTES LINES`. Says
 * `open` and `done` on standard output; ends when so many lines are stored.
 */
const [dir = '', broker = '', topic = '', chunkBytes = '', lines = ''] = process.argv.slice(2)
const store = await openStore({ kind: 'chdb', dir })
await migrate(store)
const committer = createCommitter(store)
const { inserted, failed } = await committer.recover()
console.log(`recovered ${inserted}`)
if (failed.length > 0) throw new Error(failed.join('\n'))
const senders = createSenders(store)
await senders.register({
  id: 'kafka',
  sources: ['istio-text'],
  cluster: '',
  workloads: [],
  evidence: 'verified',
  spiffe: '',
})
const receiver = await startKafkaReceiver({
  store,
  committer,
  senders,
  config: { brokers: [broker], group: 'killed', sessionTimeoutMs: 2_000, topics: [linesOf(topic, topic)] },
  chunkBytes: Number(chunkBytes),
  note: (text) => console.error(text),
})
console.log('open')
for (let stored = 0; stored < Number(lines); await new Promise((resolve) => setTimeout(resolve, 100))) {
  const [row] = await query<{ lines: number }>(
    store.reads,
    'SELECT sum(b.accepted) + sum(b.rejected) AS lines FROM ingest_batch AS b WHERE cluster = {topic:String}',
    { topic },
  )
  stored = Number(row?.lines ?? 0)
}
// What comes twice would come now.
await new Promise((resolve) => setTimeout(resolve, 1_000))
await receiver.stop()
await store.close()
console.log('done')
