import { Readable } from 'node:stream'
import { describe, expect, it, test } from 'vitest'
import { storeObjects } from '../../services/collector/objects.ts'
import { readObjects } from '../../services/collector/sources/kubernetes-objects/read.ts'
import { migrate } from '../../services/store/migrate.ts'
import { readInventory } from '../../services/store/queries/inventory.ts'
import { namingState } from '../../services/store/queries/known-edges.ts'
import { openStore } from '../../services/store/store.ts'
import { scratch } from '../support/cli.ts'
import { newStore } from '../support/new-store.ts'

/** As istiod's installation writes it, cut to what matters. */
const configMap = (mesh: string, name = 'istio') => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'istio-system' } },
  data: { mesh, meshNetworks: 'networks: {}' },
})
const ALIASED = `
defaultConfig:
  discoveryAddress: istiod.istio-system.svc:15012
enablePrometheusMerge: true
rootNamespace: istio-system
trustDomain: new.example
trustDomainAliases:
- old.example
- cluster.local
- old.example
`
const read = (...objects: unknown[]) => readObjects(objects, 'east')

test('stored, they are in the inventory, and graphs are made anew', async () => {
  const room = scratch('mesh-config')
  const store = await openStore({ kind: 'chdb', dir: newStore(room.path('store')) })
  try {
    await migrate(store)
    const before = await namingState(store.reads)
    const give = async (mesh: string) => {
      const bytes = Readable.from([Buffer.from(JSON.stringify(configMap(mesh)))])
      return await storeObjects(store, 'east', { name: 'mesh.json', bytes })
    }
    expect(await give(ALIASED)).toMatchObject({ accepted: 1, rejected: 0 })
    const names = ['new.example', 'old.example', 'cluster.local']
    expect((await readInventory(store.reads)).trustDomains).toEqual([{ cluster: 'east', names }])
    expect((await namingState(store.reads)).declared).not.toBe(before.declared)
    await give('trustDomain: new.example')
    expect((await readInventory(store.reads)).trustDomains).toEqual([{ cluster: 'east', names: ['new.example'] }])
  } finally {
    await store.close()
    room.close()
  }
}, 60_000)

describe('trust domains of the mesh configuration', () => {
  it('are its own, then its aliases, each once', () => {
    expect(read(configMap(ALIASED)).meshes).toEqual([
      { cluster: 'east', names: ['new.example', 'old.example', 'cluster.local'] },
    ])
    expect(read({ kind: 'List', items: [configMap(ALIASED)] }).meshes).toHaveLength(1)
    expect(read(configMap('accessLogFile: /dev/stdout')).meshes).toEqual([
      { cluster: 'east', names: ['cluster.local'] },
    ])
  })

  it('are read of a revision where it stands alone', () => {
    const revision = configMap('trustDomain: canary.example', 'istio-canary')
    expect(read(revision).meshes).toEqual([{ cluster: 'east', names: ['canary.example'] }])
    expect(read(configMap(ALIASED), revision).meshes[0]?.names[0]).toBe('new.example')
  })

  it('are not looked for in other ConfigMaps', () => {
    const others = [configMap(ALIASED, 'app'), { ...configMap(ALIASED, 'istio-ca-root-cert'), data: { pem: '' } }]
    expect(read(...others)).toMatchObject({ meshes: [], unreadable: 0 })
  })

  it.each([
    ['no YAML', '{'],
    ['a list', '[1]\n: x'],
    ['a name with a slash', 'trustDomain: a/ns/b'],
    ['a star', "trustDomainAliases: ['*']"],
    ['an alias that is no text', 'trustDomainAliases: [{}]'],
    ['a bomb of aliases', 'a: &a [x]\ntrustDomainAliases: [*a, *a]'],
    ['more than a hundred', `trustDomainAliases: [${Array.from({ length: 101 }, (_, n) => `d${n}`).join(', ')}]`],
  ])('%s is counted as unreadable, and nothing comes of it', (_, mesh) => {
    expect(read(configMap(mesh))).toMatchObject({ meshes: [], unreadable: 1 })
  })
})
