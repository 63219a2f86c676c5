import { parseAllDocuments } from 'yaml'
import { CinchError } from '../model/errors.ts'
import type { Service, Workload } from '../model/inventory.ts'
import { declareAddresses, declareServices, declareTrustDomains, declareWorkloads } from '../store/queries/inventory.ts'
import type { Store } from '../store/store.ts'
import { readObjects } from './sources/kubernetes-objects/read.ts'

/** Objects of a cluster fit in memory by far; anything larger is no such file. */
const OBJECTS_BYTES_MAX = 256 << 20

/**
 * Reads Kubernetes objects (YAML documents, JSON, `List`s) and declares their workloads, services and addresses.
 * @throws CinchError `bad_objects` when it is neither YAML nor JSON
 */
export async function storeObjects(
  store: Store,
  cluster: string,
  input: { name: string; bytes: AsyncIterable<Buffer> },
) {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of input.bytes) {
    size += part.length
    if (size > OBJECTS_BYTES_MAX)
      throw new CinchError(
        'too_large',
        `${input.name} has more than ${OBJECTS_BYTES_MAX} bytes`,
        'give the objects in several files',
      )
    parts.push(part)
  }
  const found = readObjects(parseDocuments(Buffer.concat(parts).toString('utf8'), input.name), cluster)
  await declareWorkloads(store.jobs, found.workloads satisfies Workload[])
  await declareServices(store.jobs, found.services satisfies Service[])
  await declareTrustDomains(store.jobs, found.meshes)
  await declareAddresses(store.jobs, found.addresses)
  return {
    accepted: found.workloads.length + found.services.length + found.slices + found.meshes.length,
    rejected: found.unreadable,
    bytes: size,
  }
}

function parseDocuments(text: string, name: string): unknown[] {
  const documents = parseAllDocuments(text)
  const list = Array.isArray(documents) ? documents : []
  const broken = list.flatMap((document) => document.errors).at(0)
  if (broken) throw badObjects(name, broken)
  try {
    return list.map((document) => document.toJS({ maxAliasCount: ALIASES_MAX }) as unknown)
  } catch (cause) {
    throw badObjects(name, cause)
  }
}

/** Beyond so many expanded aliases a document is taken for a bomb. */
const ALIASES_MAX = 100

function badObjects(name: string, cause: unknown): CinchError {
  const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
  return new CinchError(
    'bad_objects',
    `${name} is neither YAML nor JSON of Kubernetes objects: ${reason}`,
    'give the output of kubectl get deployments,services,… -A -o yaml',
    { cause },
  )
}
