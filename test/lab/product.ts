import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type Cinch, openCinch } from '../../services/api/cinch.ts'
import type { IngestResult } from '../../services/collector/ingest.ts'
import { inputOf, openInput } from '../../services/collector/input/input.ts'
import { openStore } from '../../services/store/store.ts'
import { newStore } from '../support/new-store.ts'
import type { Callee } from './envoy-config.ts'

/** Cinch itself on a store of its own. */
export interface Product {
  cinch: Cinch
  /** Loads a log as `cinch ingest --source ID FILE` does: what was loaded before is skipped. */
  load(source: string, path: string, cluster?: string): Promise<IngestResult>
  /** Declares Kubernetes objects. */
  declare(yaml: string): Promise<IngestResult>
  close(): Promise<void>
}

export async function openProduct(): Promise<Product> {
  const dir = await mkdtemp(join(tmpdir(), 'cinch-lab-store-'))
  const store = await openStore({ kind: 'chdb', dir: newStore(dir) })
  const cinch = await openCinch(store)
  return {
    cinch,
    load: async (source, path, cluster = '') => await cinch.ingest(source, cluster, await openInput(path)),
    declare: async (yaml) =>
      await cinch.ingest(
        'kubernetes-objects',
        '',
        await inputOf('objects.yaml', Readable.from([Buffer.from(yaml)]), 0),
      ),
    close: async () => {
      await store.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** The lab's workloads as a cluster would declare them. */
export function objectsOf(callee: Callee, callers: readonly string[]): string {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: callee.service, namespace: callee.namespace },
    spec: {
      selector: callee.labels,
      ports: callee.ports.map(({ servicePort, workloadPort }) => ({
        name: `http-${servicePort}`,
        port: servicePort,
        targetPort: workloadPort,
      })),
    },
  }
  const deployments = [callee.principal, ...callers].map((principal) => {
    const [, , namespace, , account] = principal.split('/')
    const labels = principal === callee.principal ? callee.labels : { app: account }
    const template = { metadata: { labels: { ...labels, version: 'v1' } }, spec: { serviceAccountName: account } }
    return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: account, namespace }, spec: { template } }
  })
  // JSON is YAML.
  return [service, ...deployments].map((object) => JSON.stringify(object)).join('\n---\n')
}
