import { migrate } from '../../services/store/migrate.ts'
import { openStore } from '../../services/store/store.ts'

/** `node make-store.ts DIR`: an empty store with all migrations. */
const store = await openStore({ kind: 'chdb', dir: process.argv[2] ?? '' })
await migrate(store)
await store.close()
