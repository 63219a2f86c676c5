import { createCommitter } from '../../../services/collector/commit.ts'
import { openStore } from '../../../services/store/store.ts'
import { WAYS } from './ways.ts'

/** A process of Cinch that takes in one way's telemetry, for a test to kill: `node kill-child.ts URL KIND NAME DIR`. */
const [url = '', kind = '', name = '', dir = ''] = process.argv.slice(2)
process.chdir(dir)
const store = await openStore({ kind: 'http', url })
console.log('open')
const committer = createCommitter(store)
const { failed } = await committer.recover()
if (failed.length > 0) throw new Error(failed.join())
await WAYS[kind]?.take({ store, committer, dir, name })
await store.close()
