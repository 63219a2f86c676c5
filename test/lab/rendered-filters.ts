import { parseAllDocuments } from 'yaml'
import type { PolicyFile } from '../../policy-gen/targets/target.ts'
import type { HttpFilter } from './envoy-config.ts'

/** The filters in the files of target `envoy-rbac`, exactly as they stand there. */
export function filtersIn(files: readonly Pick<PolicyFile, 'content'>[], name: string): HttpFilter[] {
  const documents = files.flatMap(({ content }) =>
    parseAllDocuments(content).map((document) => document.toJS() as Partial<HttpFilter>),
  )
  return documents.filter((document): document is HttpFilter => document.name === name)
}
